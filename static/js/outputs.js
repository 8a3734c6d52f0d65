// The card beside the form says how many outputs are asked for, and the button does not promise more.
const boxes = [...document.querySelectorAll("[data-output]")];
const count = document.querySelector("[data-outputs-count]");
const button = document.querySelector("[data-submit-text]");
const all = button?.textContent;

const show = () => {
  const chosen = boxes.filter((box) => box.checked).length;
  if (count) count.textContent = count.dataset.text.replace("{chosen}", chosen).replace("{all}", boxes.length);
  if (button) button.textContent = chosen === boxes.length ? all : button.dataset.textSome;
};

if (boxes.length) {
  document.addEventListener("change", (event) => event.target.matches("[data-output]") && show());
  show();
}

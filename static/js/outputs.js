// The card beside the form says how many outputs are asked for, and the button does not promise another number.
const boxes = [...document.querySelectorAll("[data-output]")];
const count = document.querySelector("[data-outputs-count]");
const button = document.querySelector("[data-submit-text]");

const show = () => {
  const chosen = boxes.reduce((sum, box) => sum + (box.checked ? Number(box.dataset.output) : 0), 0);
  count.textContent = count.dataset.text.replace("{chosen}", chosen).replace("{all}", count.dataset.all);
  // With nothing chosen the button stays as it was: pressing it says what is missing.
  if (chosen) button.textContent = JSON.parse(button.dataset.texts)[chosen] ?? button.dataset.textSome;
};

if (boxes.length && count && button) {
  document.addEventListener("change", (event) => event.target.matches("[data-output]") && show());
  show();
}

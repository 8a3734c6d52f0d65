// Buttons with data-show-password show what is typed in the field before them.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show-password]");
  if (!button) return;
  const input = button.parentElement.querySelector("input");
  const shown = input.type === "password";
  input.type = shown ? "text" : "password";
  button.querySelector("[data-words]").textContent = shown ? button.dataset.hide : button.dataset.show;
});

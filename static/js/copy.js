// Buttons with data-copy="id of an element" put that element's text on the clipboard and say so.
const live = () => {
  let place = document.querySelector("[data-copy-status]");
  if (!place) {
    place = document.createElement("p");
    place.className = "visually-hidden";
    place.setAttribute("role", "status");
    place.dataset.copyStatus = "";
    document.body.append(place);
  }
  return place;
};

const write = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain HTTP on a name other than localhost has no clipboard object.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  const source = button && document.getElementById(button.dataset.copy);
  if (!source) return;
  const words = button.querySelector("[data-copy-words]");
  try {
    await write(source.textContent);
  } catch {
    getSelection().selectAllChildren(source);
    return;
  }
  button.dataset.label ??= words?.textContent ?? "";
  if (words) words.textContent = button.dataset.copied;
  live().textContent = button.dataset.copied;
  setTimeout(() => {
    if (words) words.textContent = button.dataset.label;
    live().textContent = "";
  }, 2000);
});

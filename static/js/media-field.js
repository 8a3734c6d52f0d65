// A media field: files come in by button, drop and paste and are handed to the uploader; tiles can be
// removed and put in another order. All of it by buttons, so that it works from the keyboard.
const fields = () => [...document.querySelectorAll("[data-media-field]")];
const tilesOf = (field) => field.querySelector("[data-tiles]");
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

const say = (field, text) => {
  field.querySelector("[data-say]").textContent = text;
};

const give = (field, files) => {
  if (files.length) field.dispatchEvent(new CustomEvent("portal:files", { bubbles: true, detail: { files: [...files] } }));
};

const remove = (field, tile) => {
  const neighbour = tile.nextElementSibling ?? tile.previousElementSibling;
  tile.remove();
  say(field, field.dataset.textRemoved);
  (neighbour?.querySelector("[data-remove]:not([hidden]), [data-cancel]:not([hidden])") ?? field.querySelector("[data-add]")).focus();
};

const move = (field, tile, button, earlier) => {
  const other = earlier ? tile.previousElementSibling : tile.nextElementSibling;
  if (!other) return;
  other[earlier ? "before" : "after"](tile);
  button.focus();
  say(field, fill(field.dataset.textMoved, { place: [...tile.parentElement.children].indexOf(tile) + 1 }));
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-media-field] button");
  if (!button) return;
  const field = button.closest("[data-media-field]");
  const tile = button.closest(".tile");
  const has = (name) => button.hasAttribute(`data-${name}`);
  if (has("add")) field.querySelector('input[type="file"]').click();
  else if (has("remove") || has("cancel")) remove(field, tile);
  else if (has("earlier") || has("later")) move(field, tile, button, has("earlier"));
});

document.addEventListener("change", (event) => {
  const field = event.target.matches('input[type="file"]') && event.target.closest("[data-media-field]");
  if (!field) return;
  const files = [...event.target.files];
  // They are sent one by one from here: the form must not carry them a second time.
  event.target.value = "";
  give(field, files);
});

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
const light = (field) => fields().forEach((one) => one.toggleAttribute("data-over", one === field));

document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  light(event.target.closest?.("[data-media-field]"));
});

document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  // A file dropped beside a field must not take the place of the page.
  event.preventDefault();
  light(null);
  const field = event.target.closest?.("[data-media-field]");
  if (field) give(field, event.dataTransfer.files);
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) light(null);
});

// A pasted file goes to the box that was clicked or focused last, else to one that is empty and takes its kind, else
// to one that has room. A file that is there gives way only where its own box was asked for.
let recent = null;
for (const type of ["pointerdown", "focusin"]) {
  document.addEventListener(type, (event) => {
    // A click inside a box gives the focus to what is around it, where nothing in it takes it.
    if (event.target.closest?.("dialog") || (type === "focusin" && recent && event.target.contains(recent))) return;
    recent = event.target.closest?.("[data-media-field]") ?? null;
  });
}

const isSingle = (field) => field.dataset.multiple === "0";
const holds = (field) =>
  tilesOf(field).querySelector('[data-state="ready"], [data-state="uploading"], [data-state="waiting"]') !== null;
const isEmpty = (field) => !holds(field) && !field.querySelector("[data-links]").value.trim();

const placeFor = (kind) => {
  const takers = fields().filter((field) => field.dataset.accept.split(",").includes(kind));
  return { taker: takers.find(isEmpty) ?? takers.find((field) => !isSingle(field)), filled: takers[0] };
};

document.addEventListener("paste", (event) => {
  const files = event.clipboardData?.files ?? [];
  if (!files.length || document.querySelector("dialog[open]")) return;
  // Cells of a spreadsheet come as words and as a picture of them; where words are typed, words are meant.
  if (event.target.matches?.("input, textarea") && event.clipboardData.types.includes("text/plain")) return;
  const { taker, filled } = placeFor(files[0].type.split("/")[0]);
  const field = recent ?? event.target.closest?.("[data-media-field]") ?? taker;
  if (field) {
    event.preventDefault();
    give(field, files);
  } else if (filled) {
    event.preventDefault();
    say(filled, filled.dataset.textFilled);
    filled.scrollIntoView({ block: "nearest" });
  }
});

for (const field of fields()) {
  // The button beside it opens it; one stop for the Tab key is enough.
  field.querySelector('input[type="file"]').tabIndex = -1;
  field.addEventListener("portal:add", ({ detail }) => {
    if (isSingle(field)) tilesOf(field).replaceChildren();
    const here = new Set([...tilesOf(field).querySelectorAll("input")].map((input) => input.value));
    tilesOf(field).append(...detail.tiles.filter((tile) => !here.has(tile.querySelector("input").value)));
  });
}

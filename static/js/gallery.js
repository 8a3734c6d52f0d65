// The gallery is one stop for the Tab key; arrows, Home and End move inside it, Enter opens (they are links).
// On the page of one piece the arrows lead to its neighbours.
const grid = document.querySelector("[data-grid]");
const items = () => [...grid.querySelectorAll("[data-grid-item]")];

const makeCurrent = (item) => {
  for (const other of items()) other.tabIndex = other === item ? 0 : -1;
};

// The nearest item in the row above or below, by the middle of the one we leave.
const beside = (from, direction) => {
  const box = from.getBoundingClientRect();
  const middle = box.left + box.width / 2;
  let best = null;
  for (const item of items()) {
    const other = item.getBoundingClientRect();
    const rows = Math.round((other.top - box.top) / box.height);
    if (Math.sign(rows) !== direction) continue;
    const far = Math.abs(rows) * 100000 + Math.abs(other.left + other.width / 2 - middle);
    if (!best || far < best.far) best = { item, far };
  }
  return best?.item;
};

if (grid) {
  makeCurrent(items()[0]);
  grid.addEventListener("focusin", (event) => {
    const item = event.target.closest("[data-grid-item]");
    if (item) makeCurrent(item);
  });
  grid.addEventListener("keydown", (event) => {
    const item = event.target.closest("[data-grid-item]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const at = all.indexOf(item);
    const forward = getComputedStyle(grid).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const next = {
      [forward]: () => all[at + 1],
      [backward]: () => all[at - 1],
      ArrowDown: () => beside(item, 1),
      ArrowUp: () => beside(item, -1),
      Home: () => all[0],
      End: () => all.at(-1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  });
  // "Show more" replaces itself: what came goes on where the reader was.
  grid.addEventListener("click", (event) => {
    if (!event.target.closest(".gallery-more")) return;
    const before = items().length;
    grid.addEventListener(
      "htmx:afterSettle",
      () => {
        const first = items()[before];
        makeCurrent(first ?? items()[0]);
        first?.focus();
      },
      { once: true },
    );
  });
} else {
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select, video, audio, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const rtl = document.documentElement.dir === "rtl";
    const wanted = { [rtl ? "ArrowRight" : "ArrowLeft"]: "[data-previous]", [rtl ? "ArrowLeft" : "ArrowRight"]: "[data-next]" }[event.key];
    if (wanted) document.querySelector(wanted)?.click();
  });
}

// Takes the files that media-field.js hands over and sends each on its own, four at a time on a page.
// The server answers with the finished tile, or with one that says what is wrong with the file.
const AT_ONCE = 4;
const waiting = [];
let going = 0;

const size = (bytes) => {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = bytes ? Math.min(3, Math.floor(Math.log(bytes) / Math.log(1024))) : 0;
  const format = { style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(document.documentElement.lang, format).format(bytes / 1024 ** step);
};

const parse = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.querySelector("li");
};

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const preview = (file) => {
  const picture = new Image();
  picture.alt = "";
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  picture.src = URL.createObjectURL(file);
  return picture;
};

const tilesOf = (field) => field.querySelector("[data-tiles]");
const ready = (field) => field.querySelectorAll('.tile[data-state="ready"]').length;
const say = (field, text) => {
  field.querySelector("[data-say]").textContent = text;
};

// How many of the files of this round are through; said as numbers of files, never as percent. One that was here
// already is none of them.
const rounds = new WeakMap();
const progress = (field, change) => {
  const round = rounds.get(field) ?? { total: 0, done: 0, failed: 0, open: 0, same: 0, note: "" };
  for (const [name, by] of Object.entries(change)) round[name] += by;
  rounds.set(field, round);
  const count = round.total > 0 ? fill(field.dataset.textCount, round) : "";
  const words = [count, round.same ? field.dataset.textSame : "", round.note].filter(Boolean).join(" · ");
  if (words) say(field, words);
  if (round.open > 0) return;
  rounds.delete(field);
  const form = field.closest("form");
  if (form?.querySelector('[data-state="uploading"], [data-state="waiting"]')) return;
  field.dispatchEvent(new CustomEvent("portal:uploads-done", { bubbles: true, detail: { failed: round.failed } }));
};

// Put the finished tile in the place of the one that was uploading; return whether its file was here already.
const swap = (field, old, fresh) => {
  const hadFocus = old.contains(document.activeElement);
  const ref = fresh.querySelector("input")?.value;
  const same = ref && [...tilesOf(field).querySelectorAll("input")].find((input) => input.value === ref)?.closest(".tile");
  if (field.dataset.multiple === "0" && fresh.dataset.state === "ready") {
    for (const other of tilesOf(field).querySelectorAll('[data-state="ready"], [data-state="refused"]')) {
      if (other !== same) other.remove();
    }
  }
  // The same file a second time is the same file: it stays where it was.
  if (same) old.remove();
  else old.replaceWith(fresh);
  if (hadFocus) ((same || fresh).querySelector("button") ?? field.querySelector("[data-add]")).focus();
  return Boolean(same);
};

const fail = (upload, why) => {
  const { tile, field } = upload;
  tile.dataset.state = "failed";
  tile.querySelector("[data-note]").textContent = why || field.dataset.textFailed;
  tile.querySelector("progress").hidden = true;
  tile.querySelector("[data-cancel]").hidden = true;
  tile.querySelector("[data-retry]").hidden = false;
  tile.querySelector("[data-remove]").hidden = false;
  progress(field, { failed: 1, open: -1 });
};

const start = (upload) => {
  const { file, field, tile } = upload;
  const request = new XMLHttpRequest();
  const bar = tile.querySelector("progress");
  upload.request = request;
  going += 1;
  tile.dataset.state = "uploading";
  const end = () => {
    going -= 1;
    next();
  };
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
  });
  // All bytes are away, the file is being looked at: a bar without a value says "working".
  request.upload.addEventListener("load", () => bar.removeAttribute("value"));
  request.addEventListener("load", () => {
    const { status } = request;
    const fresh = [201, 413, 422, 429].includes(status) ? parse(request.responseText) : null;
    if (!fresh || status === 429) fail(upload, fresh?.querySelector(".tile-note")?.textContent);
    else {
      const name = fresh.querySelector(".tile-name bdi");
      if (!name.textContent) name.textContent = file.name;
      if (swap(field, tile, fresh)) progress(field, { open: -1, total: -1, same: 1 });
      else progress(field, { open: -1, done: status === 201 ? 1 : 0, failed: status === 201 ? 0 : 1 });
    }
    end();
  });
  for (const name of ["error", "timeout"]) request.addEventListener(name, () => (fail(upload), end()));
  request.addEventListener("abort", end);
  const body = new FormData();
  body.append("field", field.dataset.field);
  body.append("accept", field.dataset.accept);
  body.append("multiple", field.dataset.multiple);
  body.append("file", file, file.name);
  request.open("POST", field.dataset.uploadUrl);
  request.setRequestHeader("X-CSRFToken", field.closest("form").elements.csrfmiddlewaretoken.value);
  request.send(body);
};

const next = () => {
  while (going < AT_ONCE && waiting.length) start(waiting.shift());
};

const uploads = new WeakMap();
const add = (field, files) => {
  const most = field.dataset.multiple === "0" ? 1 : Number(field.dataset.max) || Infinity;
  const room = field.dataset.multiple === "0" ? 1 : Math.max(0, most - ready(field));
  const taken = [...files].slice(0, room);
  for (const file of taken) {
    const tile = field.querySelector('template[data-tile="uploading"]').content.cloneNode(true).firstElementChild;
    tile.querySelector("[data-name]").textContent = file.name;
    tile.querySelector("[data-size]").textContent = size(file.size);
    if (/^image\/(jpeg|png|webp|avif|gif)$/.test(file.type)) tile.querySelector(".tile-picture").replaceChildren(preview(file));
    const upload = { file, field, tile };
    uploads.set(tile, upload);
    tilesOf(field).append(tile);
    waiting.push(upload);
  }
  const note = taken.length < files.length ? fill(field.dataset.textTooMany, { max: most }) : "";
  if (taken.length) progress(field, { total: taken.length, open: taken.length, note });
  else say(field, note);
  next();
};

const cancel = (upload) => {
  const at = waiting.indexOf(upload);
  if (at >= 0) waiting.splice(at, 1);
  else upload.request?.abort();
  progress(upload.field, { total: -1, open: -1 });
};

const retry = (upload) => {
  const { tile, field } = upload;
  tile.dataset.state = "waiting";
  tile.querySelector("[data-note]").textContent = "";
  tile.querySelector("progress").hidden = false;
  tile.querySelector("progress").value = 0;
  tile.querySelector("[data-cancel]").hidden = false;
  tile.querySelector("[data-retry]").hidden = true;
  tile.querySelector("[data-remove]").hidden = true;
  waiting.push(upload);
  progress(field, { total: 1, open: 1 });
  next();
};

document.addEventListener("portal:files", (event) => add(event.target, event.detail.files));

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-media-field] .tile button");
  const upload = button && uploads.get(button.closest(".tile"));
  if (!upload) return;
  if (button.hasAttribute("data-retry")) retry(upload);
  if (button.hasAttribute("data-cancel")) cancel(upload);
});

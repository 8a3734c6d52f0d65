// Draws what the stand-in knows and lets a person play Lamina. All of it goes in as text, never as markup.
"use strict";

const ENDED = new Set(["completed", "failed", "cancelled"]);
const SHOWN = 100;
let choices = {};

async function ask(path, options) {
  const answer = await fetch(path, options);
  return answer.json();
}

function cell(row, text, name) {
  const made = row.insertCell();
  if (name) made.append(Object.assign(document.createElement(name), { textContent: text }));
  else made.textContent = text;
  return made;
}

function button(label, act, run) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  made.setAttribute("aria-label", `${label} run ${run.runId.slice(0, 8)}`);
  made.addEventListener("click", async () => { await act(); await draw(); });
  return made;
}

function post(path, body) {
  return ask(path, { method: "POST", body: body || "{}" });
}

// Draws the newest first. A row that has not changed stays in its place: drawn anew, its button would lose the
// focus, and the click that is under way.
function fill(id, items, keyOf, write) {
  const body = document.querySelector(`#${id} tbody`);
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let next = body.firstElementChild;
  for (let place = items.length - 1; place >= 0; place--) {
    const key = String(keyOf(items[place], place));
    const text = JSON.stringify(items[place]);
    let row = rows.get(key);
    if (row === undefined || row.dataset.text !== text) {
      const made = document.createElement("tr");
      Object.assign(made.dataset, { key, text });
      write(made, items[place]);
      if (row === next && row) next = made;
      if (row) row.replaceWith(made);
      row = made;
    }
    if (row === next) next = next.nextElementSibling;
    else body.insertBefore(row, next);
  }
  while (next) {
    const after = next.nextElementSibling;
    next.remove();
    next = after;
  }
}

function drawRun(names) {
  return (row, run) => {
    cell(row, run.createdAt.slice(11, 19));
    cell(row, names.get(run.workflowId) || run.workflowId);
    const status = cell(row, run.errorMessage ? `${run.status}: ${run.errorMessage}` : run.status);
    status.dataset.status = run.status;
    const verbs = ENDED.has(run.status) ? [] : ["complete", "fail", "cancel"];
    if (run.webhook) verbs.push("redeliver");
    const play = cell(row, "");
    play.className = "bar";
    play.append(...verbs.map((verb) => button(verb, () => post(`/_sandbox/runs/${run.runId}/${verb}`), run)));
    cell(row, run.spent);
    cell(row, run.runId, "code");
  };
}

function drawDelivery(row, delivery) {
  cell(row, delivery.time.slice(11, 19));
  cell(row, delivery.runId.slice(0, 8), "code");
  for (const name of ["status", "kind", "attempt", "answer", "url"]) cell(row, delivery[name] ?? "–");
}

// A knob with fixed words: one of them, or any number.
function choice(name, value) {
  const isMany = Array.isArray(value);
  const made = Object.assign(document.createElement("select"), { name, multiple: isMany, size: isMany ? 4 : 0 });
  made.setAttribute("aria-label", name.replaceAll("_", " "));  // or its words would be part of its name
  if (isMany) made.title = "Any number of them: hold Ctrl or Cmd";
  made.append(...Object.entries(choices[name]).map(([word, line]) => Object.assign(document.createElement("option"), {
    value: word, textContent: word || "none", title: line, selected: isMany ? value.includes(word) : value === word })));
  return made;
}

function drawWorkspaces(credits) {
  const list = document.querySelector("#workspaces");
  for (const [slug, each] of Object.entries(credits)) {
    let item = [...list.children].find((one) => one.dataset.slug === slug);
    if (!item) {
      item = document.createElement("li");
      item.dataset.slug = slug;
      const more = Object.assign(document.createElement("button"), { type: "button", textContent: "Add 1000 credits" });
      more.setAttribute("aria-label", `Add 1000 credits to ${slug}`);
      more.addEventListener("click", async () => {
        await post("/_sandbox/credits", JSON.stringify({ workspace: slug, add: 1000 }));
        await draw();
      });
      item.append(document.createElement("span"), more);
      list.append(item);
    }
    item.firstElementChild.textContent = `${slug}: ${each.balance} credits, ${each.spent} spent`;
  }
  for (const item of [...list.children]) if (!(item.dataset.slug in credits)) item.remove();
}

function drawKnobs(knobs) {
  const form = document.querySelector("#knobs");
  const text = JSON.stringify(knobs);
  if (form.contains(document.activeElement) || form.dataset.text === text) return;
  form.dataset.text = text;
  form.replaceChildren(...Object.entries(knobs).map(([name, value]) => {
    const label = Object.assign(document.createElement("label"), { textContent: name.replaceAll("_", " ") });
    const isFlag = typeof value === "boolean";
    const input = choices[name] ? choice(name, value) :
      Object.assign(document.createElement("input"), { type: isFlag ? "checkbox" : "text", name });
    if (isFlag) input.checked = value;
    else if (!choices[name]) input.value = typeof value === "string" ? value : JSON.stringify(value);
    input.addEventListener("change", () => turn(input, typeof value === "string"));
    label.append(input);
    return label;
  }));
}

async function turn(input, isText) {
  let value = input.type === "checkbox" ? input.checked : input.value;
  if (input.multiple) value = [...input.selectedOptions].map((option) => option.value);
  try {
    if (input.type !== "checkbox" && !input.multiple && !isText) value = JSON.parse(input.value);
  } catch {
    value = input.value;
  }
  const answer = await ask("/_sandbox/knobs", { method: "PATCH", body: JSON.stringify({ [input.name]: value }) });
  input.setCustomValidity(answer.error || "");
  input.reportValidity();
}

function say(text) {
  const summary = document.querySelector("#summary");
  if (summary.textContent !== text) summary.textContent = text;  // or it would be read out every two seconds
}

function counted(number, name) {
  return `${number} ${number === 1 ? name : name === "delivery" ? "deliveries" : `${name}s`}`;
}

async function draw() {
  try {
    if (!Object.keys(choices).length) choices = await ask("/_sandbox/choices");
    const paths = [`ledger?last=${SHOWN}`, "knobs", "apps"];
    const [ledger, knobs, offered] = await Promise.all(paths.map((path) => ask(`/_sandbox/${path}`)));
    const credits = Object.entries(ledger.credits).map(([slug, each]) => `${slug}: ${each.balance} credits`).join(", ");
    const { runs, deliveries } = ledger.totals;
    say(`${counted(runs, "run")}, ${counted(ledger.requests.total, "request")}, ${counted(deliveries, "delivery")}. ${credits}.`);
    fill("runs", ledger.runs, (run) => run.runId, drawRun(new Map(offered.map((app) => [app.appId, app.name]))));
    fill("deliveries", ledger.deliveries, (_, place) => deliveries - ledger.deliveries.length + place, drawDelivery);
    const apps = document.querySelector("#apps");
    if (apps.childElementCount !== offered.length) {
      apps.replaceChildren(...offered.map((app) =>
        Object.assign(document.createElement("li"), { textContent: `${app.name} (${app.appId})` })));
    }
    drawWorkspaces(ledger.credits);
    drawKnobs(knobs);
  } catch {
    say("The stand-in does not answer.");
  }
}

for (const each of document.querySelectorAll("[data-post]")) {
  each.addEventListener("click", async () => {
    if (each.dataset.ask && !confirm(each.dataset.ask)) return;
    await post(each.dataset.post, each.dataset.body);
    await draw();
  });
}

draw();
setInterval(() => { if (!document.hidden) draw(); }, 2000);

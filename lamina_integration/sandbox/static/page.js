// Draws what the stand-in knows and lets a person play Lamina. All of it goes in as text, never as markup.
"use strict";

const ENDED = new Set(["completed", "failed", "cancelled"]);
const SHOWN = 100;

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

function button(label, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  made.addEventListener("click", async () => { await act(); await draw(); });
  return made;
}

function post(path, body) {
  return ask(path, { method: "POST", body: body || "{}" });
}

function fill(id, items, write) {
  const body = document.querySelector(`#${id} tbody`);
  body.replaceChildren();
  for (const item of items.slice(-SHOWN).reverse()) write(body.insertRow(), item);
}

function drawRun(names) {
  return (row, run) => {
    cell(row, run.createdAt.slice(11, 19));
    cell(row, names.get(run.workflowId) || run.workflowId);
    const status = cell(row, run.errorMessage ? `${run.status}: ${run.errorMessage}` : run.status);
    status.dataset.status = run.status;
    cell(row, run.spent);
    cell(row, run.runId, "code");
    const verbs = ENDED.has(run.status) ? ["redeliver"] : ["complete", "fail", "cancel", "redeliver"];
    cell(row, "").append(...verbs.map((verb) => button(verb, () => post(`/_sandbox/runs/${run.runId}/${verb}`))));
  };
}

function drawDelivery(row, delivery) {
  cell(row, delivery.time.slice(11, 19));
  cell(row, delivery.runId.slice(0, 8), "code");
  for (const name of ["status", "kind", "attempt", "answer", "url"]) cell(row, delivery[name] ?? "–");
}

function drawKnobs(knobs) {
  const form = document.querySelector("#knobs");
  if (form.contains(document.activeElement)) return;
  form.replaceChildren(...Object.entries(knobs).map(([name, value]) => {
    const label = Object.assign(document.createElement("label"), { textContent: name.replaceAll("_", " ") });
    const isFlag = typeof value === "boolean";
    const input = Object.assign(document.createElement("input"), { type: isFlag ? "checkbox" : "text", name });
    if (isFlag) input.checked = value;
    else input.value = typeof value === "string" ? value : JSON.stringify(value);
    input.addEventListener("change", () => turn(input, typeof value === "string"));
    label.append(input);
    return label;
  }));
}

async function turn(input, isText) {
  let value = input.type === "checkbox" ? input.checked : input.value;
  try {
    if (input.type !== "checkbox" && !isText) value = JSON.parse(input.value);
  } catch {
    value = input.value;
  }
  const answer = await ask("/_sandbox/knobs", { method: "PATCH", body: JSON.stringify({ [input.name]: value }) });
  input.setCustomValidity(answer.error || "");
  input.reportValidity();
}

async function draw() {
  try {
    const [ledger, knobs, offered] = await Promise.all(["ledger", "knobs", "apps"].map((name) => ask(`/_sandbox/${name}`)));
    const credits = Object.entries(ledger.credits).map(([slug, each]) => `${slug}: ${each.balance} credits`).join(", ");
    document.querySelector("#summary").textContent =
      `${ledger.runs.length} runs, ${ledger.requests.total} requests, ${ledger.deliveries.length} deliveries. ${credits}.`;
    fill("runs", ledger.runs, drawRun(new Map(offered.map((app) => [app.appId, app.name]))));
    fill("deliveries", ledger.deliveries, drawDelivery);
    document.querySelector("#apps").replaceChildren(...offered.map((app) =>
      Object.assign(document.createElement("li"), { textContent: `${app.name} (${app.appId})` })));
    drawKnobs(knobs);
  } catch {
    document.querySelector("#summary").textContent = "The stand-in does not answer.";
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

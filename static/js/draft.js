// What is filled in is kept on the server a moment after it was typed, so that a reload, the back button or another
// device finds it again. Nothing here holds up sending; what was sent is never kept again: the server sees to that.
const PAUSE = 1500;
const AGAIN = 15_000;
const KEEPALIVE_BYTES = 60_000; // what a browser still sends for a page that is being left
const LEFT = "portal-form-left";
const LEFT_LATELY = 10_000;

const form = document.querySelector("form[data-draft-url]");
const place = form?.querySelector("[data-draft-say]");
let kept = "";
let timer;
let flight = null;
let stopped = false;

const filledIn = () => {
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    // Files are sent by themselves, and to spend credits is agreed to each time.
    if (typeof value === "string" && !["csrfmiddlewaretoken", "confirmed"].includes(name)) body.append(name, value);
  }
  return body.toString();
};

const post = (body, signal) =>
  fetch(form.dataset.draftUrl, {
    method: "POST",
    body,
    signal,
    keepalive: body.length < KEEPALIVE_BYTES,
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      "X-CSRFToken": form.elements.csrfmiddlewaretoken.value,
      "X-Requested-With": "XMLHttpRequest",
    },
  });

const isOver = () => stopped || form.dataset.sending !== undefined;

const wait = (pause) => {
  clearTimeout(timer);
  if (!stopped) timer = setTimeout(save, pause);
};

const save = async () => {
  clearTimeout(timer);
  const body = filledIn();
  if (isOver() || body === kept) return;
  flight?.abort();
  const mine = (flight = new AbortController());
  try {
    const answer = await post(body, mine.signal);
    if (![200, 409, 413].includes(answer.status)) throw new Error(answer.statusText);
    kept = body;
    const said = (await answer.text()).trim();
    // The same words a second time would be read out a second time.
    if (place.innerHTML !== said) place.innerHTML = said;
  } catch {
    if (mine.signal.aborted) return;
    place.textContent = form.dataset.textNotSaved;
    wait(AGAIN);
  } finally {
    if (flight === mine) flight = null;
  }
};

// A page that is left in the middle of a change may be asked for again before the save is through: it then sees to it.
const leave = () => {
  if (isOver() || filledIn() === kept) return;
  const left = { path: form.dataset.draftUrl.split("?")[0], body: filledIn(), at: Date.now() };
  sessionStorage.setItem(LEFT, JSON.stringify(left));
  save();
};

const takeUp = async () => {
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? "null");
  sessionStorage.removeItem(LEFT);
  if (left?.path !== form.dataset.draftUrl.split("?")[0] || Date.now() - left.at > LEFT_LATELY) return;
  form.inert = true;
  const answer = await post(left.body).catch(() => null);
  if (answer?.ok) location.reload();
  else form.inert = false;
};

// The browser's own copy of the page lacks what scripts had put there, such as files. The server knows what belongs to
// this form, by its token: the draft, or the run that was made of it.
const comeBack = () => {
  const address = new URL(location.href);
  address.searchParams.delete("send");
  address.searchParams.set("token", form.elements.token.value);
  stopped = true;
  form.inert = true;
  location.replace(address);
};

const watch = () => {
  // A form that came back from being sent may hold what was not kept before.
  if (form.dataset.draftUnsaved === undefined) kept = filledIn();
  else wait(PAUSE);
  for (const type of ["input", "change"]) form.addEventListener(type, () => wait(PAUSE));
  const observer = new MutationObserver(() => wait(PAUSE));
  for (const tiles of form.querySelectorAll("[data-tiles]")) observer.observe(tiles, { childList: true });
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
  window.addEventListener("pagehide", leave);
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-draft-discard]")) stopped = true;
    // Uploads that are waited for put the sending off; it is not over yet.
    if (event.defaultPrevented) return;
    clearTimeout(timer);
    flight?.abort();
  });
};

if (form) {
  if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") comeBack();
  else {
    watch();
    takeUp();
  }
}

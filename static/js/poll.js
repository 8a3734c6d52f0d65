// Polling with manners. The server writes the timer into the markup (hx-trigger="every 2s"); here polls
// are left out while the tab is hidden, made up for when it comes back, and their news is told.
const POLLING = '[hx-trigger*="portal:visible"]';
const progress = () => document.querySelector("[data-page-state]");
const icon = document.getElementById("favicon");
const plainIcon = icon?.getAttribute("href");
const plainTitle = document.title;
const live = document.querySelector("[data-live]");
const offer = document.querySelector("[data-notify-offer]");

let stopped = false;

document.addEventListener("htmx:beforeRequest", (event) => {
  if ((stopped || document.hidden) && event.target.matches?.(POLLING)) event.preventDefault();
});

// Signed out, or no longer a member: say so once instead of asking for ever.
document.addEventListener("htmx:responseError", (event) => {
  if (stopped || ![401, 403, 404].includes(event.detail.xhr.status) || !event.target.matches?.(POLLING)) return;
  stopped = true;
  live.className = "notice";
  live.dataset.tone = "warn";
  live.textContent = live.dataset.textStopped;
});

// One poll without an answer is no reason for words: the next one is seconds away. Several are.
const PATIENCE = 3;
let unanswered = 0;
let saidLost = false;
const lost = (event) => {
  if (stopped || !live || !event.target.matches?.(POLLING)) return;
  unanswered += 1;
  if (unanswered < PATIENCE || saidLost) return;
  saidLost = true;
  live.className = "notice";
  live.dataset.tone = "warn";
  live.textContent = live.dataset.textLost;
};
document.addEventListener("htmx:sendError", lost);
document.addEventListener("htmx:timeout", lost);
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status >= 500) lost(event);
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.status >= 500 || !event.target.matches?.(POLLING)) return;
  unanswered = 0;
  if (!saidLost) return;
  saidLost = false;
  live.className = "visually-hidden";
  live.textContent = headline();
});

const catchUp = () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll(POLLING)) element.dispatchEvent(new CustomEvent("portal:visible"));
};
document.addEventListener("visibilitychange", catchUp);
window.addEventListener("online", catchUp);

const headline = () => progress()?.querySelector("[data-headline]")?.textContent.trim() ?? "";

const showInTab = (state, label) => {
  const mark = { done: "✓ ", failed: "✕ ", going: "" }[state] ?? "";
  document.title = state === "going" ? `${label} · ${plainTitle}` : `${mark}${label} · ${plainTitle}`;
  if (icon) icon.href = icon.dataset[state] ?? plainIcon;
};

const notice = (state) => {
  const button = document.querySelector("[data-notify]");
  if (!button || button.dataset.wanted === undefined || !document.hidden) return;
  delete button.dataset.wanted;
  try {
    new Notification(state === "done" ? button.dataset.textDone : button.dataset.textFailed, { body: plainTitle });
  } catch {
    // Phones let only service workers show notices; the tab's title and icon say it there.
  }
};

// Time since the start, counted here, so that an unchanged page needs no news for it.
let counted = null;
let since = 0;
const spoken = (place, seconds) => {
  const text = seconds < 60 ? place.dataset.seconds : place.dataset.minutes;
  return text.replace("{m}", Math.floor(seconds / 60)).replace("{s}", seconds % 60);
};
const tick = () => {
  const place = document.querySelector("[data-elapsed]");
  if (!place || document.hidden) return;
  if (place !== counted) {
    counted = place;
    since = performance.now() - Number(place.dataset.elapsed) * 1000;
  }
  place.textContent = spoken(place, Math.max(0, Math.round((performance.now() - since) / 1000)));
};

// The count beside "Runs" is outside of what is polled; a run that ends on this page leaves it here.
const ACTIVE = ["waiting", "submitting", "unconfirmed", "queued", "running"];
const countDown = () => {
  const badge = document.querySelector("[data-active-runs]");
  const count = badge?.querySelector("[data-count]");
  if (!count) return;
  count.textContent = Math.max(0, Number(count.textContent) - 1);
  badge.hidden = count.textContent === "0";
};

let last = null;
const look = () => {
  const section = progress();
  if (!section) return;
  const now = { status: section.dataset.status, state: section.dataset.pageState, words: headline() };
  const { label } = section.dataset;
  if (last === null ? now.state === "going" : last.state !== now.state || last.status !== now.status) {
    showInTab(now.state, label);
  }
  if (last && ACTIVE.includes(last.status) && !ACTIVE.includes(now.status)) countDown();
  if (last && last.words !== now.words) {
    if (live) live.textContent = now.words;
    if (last.state === "going" && now.state !== "going") notice(now.state);
  }
  if (offer) {
    const useful = "Notification" in window && Notification.permission !== "denied" && section.dataset.late !== undefined;
    offer.hidden = !useful || document.querySelector("[data-notify]").dataset.wanted !== undefined;
  }
  // What a cancel does now, and not what it would have done when the page was loaded.
  const told = document.getElementById("cancel-text");
  if (told && section.dataset.cancelText) told.textContent = section.dataset.cancelText;
  // Nothing is left to cancel: the question goes away with it.
  if (now.state !== "going") document.querySelector("dialog#cancel-run[open]")?.close();
  last = now;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-notify]");
  if (!button) return;
  if ((await Notification.requestPermission()) === "granted") button.dataset.wanted = "";
  offer.hidden = true;
});

// What had the focus may go with the news, such as the button to cancel a run that is over. The keyboard then goes
// on from the heading, and not from the top of the page.
let hadFocus = false;
const isNowhere = () => [null, document.body].includes(document.activeElement) || !document.activeElement.checkVisibility();
const keepFocus = () => {
  if (isNowhere()) (document.getElementById("cancel-open") ?? progress()?.querySelector("h1"))?.focus();
};
document.addEventListener("htmx:beforeSwap", () => {
  hadFocus = progress()?.contains(document.activeElement) ?? false;
});
document.querySelector("dialog#cancel-run")?.addEventListener("close", keepFocus);

document.addEventListener("htmx:afterSwap", () => {
  if (hadFocus) keepFocus();
  hadFocus = false;
  look();
  tick();
});
look();
setInterval(tick, 1000);

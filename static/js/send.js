// Forms with data-send: one press is one sending. The button says so and ignores the second press;
// Ctrl or Cmd with Enter sends; uploads that are still going are waited for.
const UPLOADING = '[data-state="uploading"], [data-state="waiting"]';

const say = (form, text) => {
  const place = form.querySelector("[data-send-status]");
  if (place) place.textContent = text;
};

const words = (button) => button.querySelector("[data-submit-text]") ?? button;

const rest = (form) => {
  delete form.dataset.sending;
  for (const button of form.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
    if (button.dataset.label) words(button).textContent = button.dataset.label;
  }
  say(form, "");
};

const busy = (button) => {
  if (!button) return;
  button.setAttribute("aria-busy", "true");
  if (!button.dataset.sending) return;
  button.dataset.label = words(button).textContent;
  words(button).textContent = button.dataset.sending;
};

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  if (form.dataset.sending !== undefined) {
    event.preventDefault();
    return;
  }
  const button = event.submitter ?? form.querySelector('button[type="submit"]');
  if (form.querySelector(UPLOADING)) {
    event.preventDefault();
    form.dataset.sendAfterUploads = "";
    say(form, form.dataset.textUploading ?? "");
    return;
  }
  form.dataset.sending = "";
  busy(button);
  say(form, button?.dataset.sending ?? "");
});

document.addEventListener("portal:uploads-done", (event) => {
  const form = event.target.closest("form[data-send]");
  if (form?.dataset.sendAfterUploads === undefined) return;
  delete form.dataset.sendAfterUploads;
  say(form, "");
  // A file that failed is the person's to decide about before anything is sent.
  if (!event.detail.failed) form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.closest("form[data-send]") ?? document.querySelector("form[data-send-keys]");
  if (!form || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  form.requestSubmit();
});

// The back button brings the page as it was left: with the button saying "Sending…".
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-send]").forEach(rest);
});

document.querySelector("[data-focus]")?.focus();

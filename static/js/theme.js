// Runs before anything is painted: the chosen colours, and the mark that scripts run.
// The admin site keeps its choice under the same name, so one switch serves both.
(() => {
  const root = document.documentElement;
  root.dataset.scripts = "";

  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto";
    }
  };

  const show = (choice) => {
    root.dataset.theme = choice;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  };

  show(chosen());
  document.addEventListener("DOMContentLoaded", () => show(chosen()));
  window.addEventListener("storage", (event) => event.key === "theme" && show(chosen()));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem("theme", button.dataset.themeChoice);
    } catch {
      // Storage is switched off: the choice holds for this page.
    }
    show(button.dataset.themeChoice);
  });
})();

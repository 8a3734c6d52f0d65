// The library in a dialog. What is chosen there joins the field that asked; every item brings its own tile.
const dialog = document.querySelector("[data-picker]");
const body = dialog?.querySelector("[data-picker-body]");
let field = null;

const fail = () => {
  body.textContent = body.dataset.textFailed;
};

dialog?.addEventListener("portal:open", (event) => {
  const { opener } = event.detail;
  field = opener.closest("[data-media-field]");
  body.textContent = body.dataset.textLoading;
  window.htmx.ajax("GET", opener.dataset.pickerUrl, { target: body, swap: "innerHTML" }).catch(fail);
});

body?.addEventListener("htmx:responseError", fail);
body?.addEventListener("htmx:sendError", fail);

dialog?.querySelector("[data-use]").addEventListener("click", () => {
  const tiles = [...dialog.querySelectorAll("[data-pick]:checked")].map(
    (input) => input.closest("li").querySelector("template").content.cloneNode(true).firstElementChild,
  );
  if (field && tiles.length) field.dispatchEvent(new CustomEvent("portal:add", { detail: { tiles } }));
  dialog.close();
});

dialog?.addEventListener("dblclick", (event) => {
  if (event.target.closest(".picker-item")) dialog.querySelector("[data-use]").click();
});

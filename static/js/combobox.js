// A <select data-combobox> of many options becomes a box one can type in. The select stays, hidden, and is
// what the form sends: its options are never rebuilt, only chosen.
let count = 0;

const build = (select) => {
  const number = ++count;
  const listId = `combobox-${number}`;
  const options = [...select.options];
  const text = (option) => option.textContent.trim().replace(/\s+/g, " ");
  const box = document.createElement("div");
  box.className = "combobox";

  const input = document.createElement("input");
  input.className = "input";
  input.type = "text";
  input.autocomplete = "off";
  input.placeholder = select.dataset.textSearch;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId })) {
    input.setAttribute(name, value);
  }
  for (const name of ["aria-describedby", "aria-invalid", "aria-required"]) {
    if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name));
  }
  // The label and the links of the error summary lead to what can be seen.
  input.id = select.id;
  select.id = `${select.id}-select`;
  select.hidden = true;

  const list = document.createElement("ul");
  list.className = "combobox-list";
  list.id = listId;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-labelledby", `${input.id}-label`);
  list.hidden = true;
  if (select.multiple) list.setAttribute("aria-multiselectable", "true");

  const chosen = document.createElement("ul");
  chosen.className = "chips";
  let active = -1;
  let shown = [];

  const showChosen = () => {
    if (!select.multiple) {
      const option = options[select.selectedIndex];
      input.value = option && option.value !== "" ? text(option) : "";
      if (option?.value === "") input.placeholder = text(option);
      return;
    }
    chosen.replaceChildren(
      ...options.filter((option) => option.selected).map((option) => {
        const item = document.createElement("li");
        const remove = document.createElement("button");
        remove.type = "button";
        remove.className = "chip";
        remove.setAttribute("aria-pressed", "true");
        remove.textContent = `${text(option)} ✕`;
        remove.title = select.dataset.textRemove;
        remove.addEventListener("click", () => {
          choose(option, false);
          input.focus();
        });
        item.append(remove);
        return item;
      }),
    );
  };

  const choose = (option, on) => {
    option.selected = on;
    if (select.multiple) input.value = "";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    showChosen();
  };

  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const mark = (index) => {
    const rows = [...list.querySelectorAll("[role=option]")];
    rows[active]?.removeAttribute("data-active");
    active = rows.length ? (index + rows.length) % rows.length : -1;
    if (active < 0) return;
    rows[active].dataset.active = "";
    rows[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", rows[active].id);
  };

  const open = (typed) => {
    const wanted = typed.trim().toLocaleLowerCase();
    shown = options.filter((option) => text(option).toLocaleLowerCase().includes(wanted));
    list.replaceChildren(
      ...shown.map((option, index) => {
        const row = document.createElement("li");
        row.className = "combobox-option";
        row.id = `${listId}-${index}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", String(option.selected));
        row.textContent = text(option);
        return row;
      }),
    );
    if (!shown.length) {
      const none = document.createElement("li");
      none.className = "combobox-none";
      none.textContent = select.dataset.textNone;
      list.append(none);
    }
    active = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    input.removeAttribute("aria-activedescendant");
    if (wanted) mark(0);
  };

  // Everything, with what is chosen in sight; the words in the box are selected, so that typing takes their place.
  const openAll = () => {
    open("");
    if (!select.multiple && select.selectedIndex >= 0) mark(select.selectedIndex);
    input.select();
  };

  const take = (index) => {
    const option = shown[index];
    if (!option) return;
    choose(option, select.multiple ? !option.selected : true);
    close();
  };

  input.addEventListener("input", () => open(input.value));
  // Before the browser puts the caret where the mouse is, which it also does after a click into selected words. While the
  // list is open a click moves the caret, as everywhere; one that comes without a mouse, as by the label, opens it too.
  input.addEventListener("mousedown", (event) => {
    if (!list.hidden || event.button !== 0) return;
    event.preventDefault();
    input.focus();
    openAll();
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => list.hidden && openAll());
  input.addEventListener("blur", () => {
    close();
    showChosen();
    if (select.multiple) input.value = "";
  });
  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) {
        openAll();
        if (active >= 0) return;
      }
      mark(event.key === "ArrowDown" ? active + 1 : active < 0 ? -1 : active - 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden) take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
      if (select.multiple) input.value = "";
      showChosen();
      input.select();
    }
  });
  // Before the box loses the focus, so that a click on a row still finds the list open.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    take([...list.children].indexOf(event.target.closest("[role=option]")));
  });

  box.append(input, list);
  select.after(box);
  if (select.multiple) box.after(chosen);
  showChosen();
};

document.querySelectorAll("select[data-combobox]").forEach(build);

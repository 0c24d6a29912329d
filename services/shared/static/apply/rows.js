// Tables of the form, a card a row: added, taken out (and put back), read without the rows that are blank.

const rowsOf = (table) => [...table.querySelectorAll(":scope > [data-row]")];

function cells(row) {
  return [...row.querySelectorAll("[data-key]")];
}

function valueOf(row) {
  const value = {};
  for (const cell of cells(row)) value[cell.dataset.key] = cell.type === "date" ? cell.value || null : cell.value;
  return value;
}

const isBlank = (value) => Object.values(value).every((text) => !text || !text.trim());

export function readRows(table) {
  return rowsOf(table).map(valueOf).filter((value) => !isBlank(value));
}

/** Numbers and ids of every row, as its place is now. */
function renumber(table) {
  const name = table.dataset.field;
  rowsOf(table).forEach((row, place) => {
    row.id = `${name}-${place}`;
    row.querySelector("[data-number]").textContent = place + 1;
    for (const cell of cells(row)) {
      const id = `${name}-${place}-${cell.dataset.key}`;
      const box = cell.closest(".field");
      box.querySelector("label").htmlFor = id;
      box.querySelector(".error").id = `${id}-error`;
      cell.setAttribute("aria-describedby", `${id}-error`);
      cell.id = id;
    }
  });
  const add = table.querySelector("[data-add]");
  if (add) add.disabled = rowsOf(table).length >= Number(table.dataset.rowsMax);
}

function append(table, value) {
  const made = table.querySelector("template").content.firstElementChild.cloneNode(true);
  for (const cell of cells(made)) if (value && value[cell.dataset.key]) cell.value = value[cell.dataset.key];
  table.insertBefore(made, table.querySelector("template"));
  return made;
}

export function writeRows(table, values) {
  for (const row of rowsOf(table)) row.remove();
  for (const value of values.length ? values : [null]) append(table, value);
  renumber(table);
}

const changed = (table) => table.dispatchEvent(new Event("input", { bubbles: true }));

function add(table) {
  const row = append(table, null);
  renumber(table);
  cells(row)[0].focus();
}

/** Take a row out; until the page is left it can be put back where it was. */
function remove(table, row, words) {
  const blank = isBlank(valueOf(row));
  const note = document.createElement("p");
  const undo = document.createElement("button");
  note.className = "notice notice--info";
  note.setAttribute("role", "status");
  undo.className = "button button--quiet";
  undo.type = "button";
  undo.textContent = words.undo;
  undo.addEventListener("click", () => {
    note.replaceWith(row);
    renumber(table);
    changed(table);
    cells(row)[0].focus();
  });
  note.append(`${words.removed} `, undo);
  if (blank) row.remove();
  else row.replaceWith(note);
  if (!rowsOf(table).length) append(table, null);
  renumber(table);
  changed(table);
  if (!blank) undo.focus();
}

/** Listen to the buttons of every table of the form. */
export function bindRows(form, words) {
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const table = button && button.closest("[data-rows-max]");
    if (!table) return;
    if ("add" in button.dataset) add(table);
    if ("remove" in button.dataset) remove(table, button.closest("[data-row]"), words);
  });
}

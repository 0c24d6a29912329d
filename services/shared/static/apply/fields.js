// The form's fields on the page: what each holds, how it is filled, and what is wrong with it as it is typed.

import { count } from "./content.js";
import { readRows, writeRows } from "./rows.js";

const form = document.getElementById("form");

const all = (name) => [...form.querySelectorAll(`[data-field="${name}"]`)];

/** The names of the fields on this page. */
export function names() {
  if (!form) return [];
  return [...new Set([...form.querySelectorAll("[data-field]")].map((field) => field.dataset.field))];
}

export function read(name) {
  const [field] = all(name);
  if ("rowsMax" in field.dataset) return readRows(field);
  if (field.type !== "radio") return field.value.replace(/\r\n/g, "\n");
  const chosen = all(name).find((each) => each.checked);
  return chosen ? chosen.value : "";
}

/** Fill a field with a value; nothing where the page has no such field. */
export function write(name, value) {
  if (!names().includes(name)) return;
  const [field] = all(name);
  if ("rowsMax" in field.dataset) writeRows(field, value || []);
  else if (field.type !== "radio") field.value = value || "";
  else for (const each of all(name)) each.checked = each.value === value;
  field.dispatchEvent(new Event("filled", { bubbles: true }));
}

/** The field's name for whatever was typed into. */
export function nameOf(element) {
  const field = element.closest("[data-field]");
  return field ? field.dataset.field : "";
}

/** Say what is wrong at the field with this id, or with "" that nothing is. */
export function say(id, text) {
  const found = document.getElementById(`${id}-error`);
  if (!found) return;
  found.textContent = text;
  found.parentElement.classList.toggle("field--invalid", Boolean(text));
}

/** Tell how many characters are left; whether a text of this field is too long to be stored. */
export function measure(field, words) {
  const most = Number(field.dataset.max || 0);
  if (!most) return false;
  const left = most - count(field.value);
  const counter = document.getElementById(`${field.id}-count`);
  const text = (left < 0 ? words.over : words.left).replace("{n}", Math.abs(left));
  if (counter) {
    counter.textContent = text;
    counter.classList.toggle("is-over", left < 0);
  } else if (left < 0) say(field.id, text);
  return left < 0;
}

/** Whether any text of a field, or of its rows, is too long. */
export function overlong(name, words) {
  const texts = all(name).flatMap((each) => (each.dataset.max ? [each] : [...each.querySelectorAll("[data-max]")]));
  return texts.map((each) => measure(each, words)).some(Boolean);
}

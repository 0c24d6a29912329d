// The pool of experts and the plan of a draw: tables of a form as the lists that the interface takes.
import { call, refused } from "./desk.js";

const list = (text) => text.split(/[、，,;；]/).map((each) => each.trim()).filter(Boolean);

// "社会学 2，财务 1" → { 社会学: 2, 财务: 1 }; a field without a number asks for one.
function fields(text) {
  const wanted = {};
  for (const each of list(text)) {
    const [, name, count] = /^(.*?)\s*(\d*)$/.exec(each);
    wanted[name] = Number(count || 1);
  }
  return wanted;
}

function expert(line) {
  const [name, own = "", unit = "", channel = "", employers = "", partners = ""] = line.split("\t").map((each) => each.trim());
  return { expert: name, fields: list(own), unit, channel, employers: list(employers), partners: list(partners) };
}

const pool = (form) => ({ experts: form.elements.rows.value.split("\n").filter((line) => line.trim()).map(expert) });

function plan(form) {
  const needs = [...form.querySelectorAll("[data-group]")].map((row) => {
    const value = (name) => row.querySelector(`[name=${name}]`).value;
    const numbers = ["seats", "reserves", "unit_max", "conflicts_max"].map((name) => [name, Number(value(name))]);
    return { group: row.dataset.group, fields: fields(value("fields")), ...Object.fromEntries(numbers) };
  });
  const { assignment, marks_each: each } = form.elements;
  const balanced = assignment.value === "balanced";
  return { needs, assignment: assignment.value, marks_each: balanced ? Number(each.value) : 0 };
}

async function send(form, url, body) {
  try {
    await call("POST", url, body);
    location.reload();
  } catch (error) {
    refused(form, error);
  }
}

for (const [id, read] of [["pool-form", pool], ["plan-form", plan]]) {
  const form = document.getElementById(id);
  if (form) form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, form.dataset.url, read(form));
  });
}
for (const button of document.querySelectorAll("[data-remove]")) {
  const form = document.getElementById("pool-form");
  button.addEventListener("click", () => send(form, form.dataset.url, { experts: [{ expert: button.dataset.remove, listed: false }] }));
}

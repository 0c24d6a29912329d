// The editor of a call's files: form or text, asked of the server before anything is stored, so that both ways say the same
// and have their mistakes at the same places. Only fields that were changed travel; comments and layout stay the author's.
import { call, refused } from "../desk.js";
import { element, filled } from "./build.js";

const form = document.getElementById("editor");
const { callId, file } = form.dataset;
const words = JSON.parse(form.dataset.words);
const api = `/api/registry/v1/calls/${encodeURIComponent(callId)}/files/${encodeURIComponent(file)}`;
const area = document.getElementById("file-text");
const save = document.getElementById("save");
const reason = document.getElementById("reason");
const WAIT_MS = 500;
let version = Number(form.dataset.version);
let timer = 0;
let asked = 0;
let ready = null;
let leaving = false;

// ---- what the form says ----

function valueOf(input) {
  const text = input.value.trim();
  if (text === "") return null;
  if (input.dataset.kind === "number") return Number(text);
  if (input.dataset.kind === "words") return text.split(/[\s,、，]+/).filter(Boolean);
  return text;
}

function place(fields, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  let inside = fields;
  for (const key of keys) inside = inside[key] = inside[key] || {};
  inside[last] = value;
}

function rowsOf(table) {
  return [...table.tBodies[0].rows].map((row) => {
    const found = {};
    for (const input of row.querySelectorAll("[name]")) {
      const value = valueOf(input);
      if (value !== null) found[input.name.split(".").pop()] = value;
    }
    return found;
  }).filter((row) => Object.keys(row).length);
}

const isChanged = (input) => input.value !== input.dataset.was;

function changedFields() {
  const fields = {};
  for (const input of form.querySelectorAll("fieldset .field [name]")) if (isChanged(input)) place(fields, input.name, valueOf(input));
  // A table whose last key goes would stay behind empty, and an empty [outage] is a rule of its own.
  const outage = [...form.querySelectorAll("[name^='outage.']")];
  if (outage.length && outage.some(isChanged) && outage.every((input) => input.value === "")) fields.outage = null;
  for (const table of form.querySelectorAll("[data-rows]")) {
    const moved = table.dataset.moved || [...table.querySelectorAll("[name]")].some(isChanged);
    if (moved) fields[table.dataset.rows] = rowsOf(table);
  }
  return fields;
}

// ---- asking, and showing the answer ----

function said(lines) {
  return lines.map((line) => {
    if (line.kind === "gap") return element("li", "diff__gap", "⋯");
    if (line.kind === "same") return element("li", "", line.text || " ");
    const text = element(line.kind === "added" ? "ins" : "del", "", line.text || " ");
    return element("li", `diff__${line.kind}`, element("span", "visually-hidden", words[line.kind]), text);
  });
}

function goTo(problem) {
  if (area) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, (problem.line || 1) - 1).join("\n").length + (problem.line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[(problem.line || 1) - 1] || "").length);
    area.scrollTop = Math.max(0, ((problem.line || 1) - 4) * parseFloat(getComputedStyle(area).lineHeight));
    return;
  }
  const found = inputOf(problem.field);
  if (found) found.focus();
}

function inputOf(path) {
  if (!path) return null;
  const inputs = [...form.querySelectorAll("[name]")];
  return inputs.find((input) => input.name === path) || inputs.find((input) => input.name.startsWith(`${path}.`)) || null;
}

function problemLine(problem) {
  const where = problem.file === file && problem.line ? filled(words.line, { line: problem.line }) : problem.file;
  const button = element("button", "button button--quiet", where);
  button.type = "button";
  button.addEventListener("click", () => goTo(problem));
  const text = element("span", "", problem.reason);
  text.lang = "en";
  return element("li", "", button, text);
}

function showList(id, title, items) {
  const box = document.getElementById(id);
  box.hidden = !items.length;
  box.replaceChildren(element("p", "notice__title", title), element("ul", "plain", ...items));
}

function markFields(problems) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const mine = problems.filter((each) => each.field && (each.field === field.dataset.field || field.dataset.field.startsWith(`${each.field}.`)));
    field.classList.toggle("field--invalid", mine.length > 0);
    field.querySelector("[data-error]").textContent = mine.map((each) => each.reason).join(" ");
  }
}

function show(answer) {
  const state = document.getElementById("state");
  const same = !answer.difference.length;
  showList("problems", filled(words.problems, { n: answer.problems.length }), answer.problems.map(problemLine));
  showList("announcing", words.announcing, answer.announcing.map(problemLine));
  showList("warnings", words.warnings, answer.advice.map((each) => element("li", "", document.documentElement.lang === "en" ? each.en : each.zh)));
  markFields(answer.problems);
  const shown = document.getElementById("difference");
  shown.hidden = same;
  shown.querySelector("ol").replaceChildren(...said(answer.difference));
  const whole = document.getElementById("whole");
  if (whole) whole.textContent = answer.text;
  state.textContent = same ? words.same : answer.problems.length ? filled(words.problems, { n: answer.problems.length }) : words.none;
  ready = same || answer.problems.length ? null : answer.text;
  save.disabled = ready === null;
}

async function ask() {
  asked += 1;
  const mine = asked;
  document.getElementById("state").textContent = words.checking;
  try {
    const answer = await call("POST", `${api}/preview`, area ? { content: area.value } : { fields: changedFields() });
    if (mine === asked) show(answer);
  } catch (error) {
    if (mine !== asked) return;
    ready = null;
    save.disabled = true;
    const problems = (error.problem && error.problem.problems) || [];
    if (problems.length) showList("problems", filled(words.problems, { n: problems.length }), problems.map(problemLine));
    else refused(form, error);
  }
}

function later() {
  clearTimeout(timer);
  ready = null;
  save.disabled = true;
  timer = setTimeout(ask, WAIT_MS);
}

// ---- acts ----

form.addEventListener("input", (event) => { if (event.target !== reason) later(); });
form.addEventListener("click", (event) => {
  const { rowIn } = event.target.dataset;
  if (rowIn) {
    const table = form.querySelector(`[data-rows="${rowIn}"]`);
    const made = form.querySelector(`[data-row-of="${rowIn}"]`).innerHTML.replace(/NEW/g, String(Date.now()));
    table.tBodies[0].insertAdjacentHTML("beforeend", made);
    table.dataset.moved = "1";
    table.tBodies[0].lastElementChild.querySelector("[name]").focus();
  } else if ("rowOut" in event.target.dataset) {
    const row = event.target.closest("tr");
    row.closest("table").dataset.moved = "1";
    row.remove();
    later();
  }
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (ready === null || (reason && !reason.reportValidity())) return;
  save.disabled = true;
  try {
    await call("PUT", api, { content: ready, version, reason: reason ? reason.value : "" });
    ready = null;
    leaving = true;
    if (form.dataset.state === "draft") location.reload();
    else location.assign(`/admin/calls/${encodeURIComponent(callId)}#changes`);
  } catch (error) {
    const problems = (error.problem && error.problem.problems) || [];
    if (problems.length) showList("problems", filled(words.problems, { n: problems.length }), problems.map(problemLine));
    refused(form, error);
    save.disabled = false;
  }
});
window.addEventListener("beforeunload", (event) => { if (ready !== null && !leaving) event.preventDefault(); });
if (area && /^#L\d+$/.test(location.hash)) goTo({ line: Number(location.hash.slice(2)) });
if (form.dataset.state === "draft") ask();

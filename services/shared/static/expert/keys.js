// Scoring by keyboard alone, and taking back the last change. Letters act in mark fields only, where none can be meant.
import { apply, content, criteria, form, marks, plain } from "./form.js";
import { same } from "./merge.js";
import { changed } from "./saving.js";

const STEPS_BIG = 10;
const TOGETHER_MS = 1500;
const history = [];
const undoButton = document.getElementById("undo");
let before = null;
let last = { way: "", at: 0 };

// Digits typed into one field in one go are one change, and so are steps up and down.
function remember(field, typed) {
  const [now, way] = [Date.now(), `${field.name} ${typed}`];
  if (way !== last.way || now - last.at > TOGETHER_MS) history.push(before);
  last = { way, at: now };
  before = content();
  undoButton.disabled = false;
}

export function undo() {
  let earlier = history.pop();
  while (earlier && same(earlier, content())) earlier = history.pop();
  last = { way: "", at: 0 };
  undoButton.disabled = history.length === 0;
  if (!earlier) return;
  apply(earlier);
  before = content();
  changed();
}

// Counted in whole steps from the lowest mark, so that 0.1 + 0.2 stays a mark.
function step(input, count) {
  const { min, max, step: size } = criteria[marks().indexOf(input)];
  const unit = size === "any" ? "1" : size;
  const places = Math.max(...[unit, min].map((text) => (text.split(".")[1] || "").length));
  const low = Number(min);
  const top = max ? Math.floor((Number(max) - low) / Number(unit) + 1e-9) : Infinity;
  const written = plain(input.value);
  const middle = max ? Math.round(top / 2) : 0;
  const at = /^-?\d+(\.\d+)?$/.test(written) ? Math.round((Number(written) - low) / Number(unit)) + count : middle;
  input.value = (low + Math.max(0, Math.min(top, at)) * Number(unit)).toFixed(places);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.select();
}

function move(input, by) {
  const next = marks()[marks().indexOf(input) + by];
  if (next) next.focus();
  else if (by > 0) document.querySelector("button[form=sheet][value=submit]").focus();
}

function go(rel) {
  const link = document.querySelector(`a[rel=${rel}]`);
  if (link) link.click();
}

const PLAIN = {
  ArrowUp: (input) => step(input, 1),
  ArrowDown: (input) => step(input, -1),
  PageUp: (input) => step(input, STEPS_BIG),
  PageDown: (input) => step(input, -STEPS_BIG),
  n: () => go("next"),
  p: () => go("prev"),
};

function pressed(event) {
  if (event.isComposing || event.altKey) return;
  const control = event.ctrlKey || event.metaKey;
  const input = marks().includes(event.target) ? event.target : null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (control && key === "Enter") document.querySelector("button[form=sheet][value=submit]").click();
  else if (!input) return;
  else if (control && key === "z") undo();
  else if (key === "Enter") move(input, event.shiftKey ? -1 : 1);
  else if (!control && PLAIN[key]) PLAIN[key](input);
  else return;
  event.preventDefault();
}

export function startKeys() {
  form.addEventListener("input", (event) => {
    if (event.target.type === "checkbox") return;
    remember(event.target, event.isTrusted);
    changed();
  });
  document.addEventListener("keydown", pressed);
  // Who tabs or taps into a mark overwrites it.
  for (const input of marks()) input.addEventListener("focus", () => input.select());
  undoButton.hidden = false;
  undoButton.addEventListener("click", undo);
  before = content();
}

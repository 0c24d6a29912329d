// The score sheet's form as the other modules see it: its content in and out, which marks are wrong, what is doubtful.

const data = document.getElementById("sheet-data").dataset;
const WIDE = { "０": "0", "１": "1", "２": "2", "３": "3", "４": "4", "５": "5", "６": "6", "７": "7", "８": "8", "９": "9", "．": ".", "。": ".", "－": "-" };

export const criteria = JSON.parse(data.criteria);
export const form = document.getElementById("sheet");
export const status = document.getElementById("status");
export const page = { ...data, stored: JSON.parse(data.stored), version: Number(data.version), turn: JSON.parse(data.turn) };

export const markOf = (id) => form.elements[`mark.${id}`];
export const marks = () => criteria.map((each) => markOf(each.id));
export const plain = (text) => text.trim().replace(/[０-９．。－]/g, (sign) => WIDE[sign]);

export function content() {
  const written = { marks: {}, comments: {}, comment: form.elements.comment.value };
  for (const { id } of criteria) {
    const mark = plain(markOf(id).value);
    if (mark) written.marks[id] = mark;
    const noted = form.elements[`comment.${id}`];
    if (noted && noted.value.trim()) written.comments[id] = noted.value;
  }
  return written;
}

export function apply(written) {
  const set = (field, value) => { if (field && field.value !== value) field.value = value; };
  for (const { id } of criteria) {
    set(markOf(id), written.marks[id] || "");
    const noted = form.elements[`comment.${id}`];
    set(noted, written.comments[id] || "");
    if (noted && noted.value) noted.closest("details").open = true;
  }
  set(form.elements.comment, written.comment || "");
  check();
}

/** Say in the bar how saving stands; `word` names a text of the page. */
export function tell(word, more = "") {
  status.textContent = [status.dataset[word], more].filter(Boolean).join(" ");
  status.dataset.state = word;
}

// Decimals are compared as whole numbers, so that 0.1 is a step of 0.1.
function scaled(text, places) {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const number = Number(whole + part.padEnd(places, "0"));
  return text.startsWith("-") ? -number : number;
}

const placesOf = (...texts) => Math.max(...texts.map((text) => (text.split(".")[1] || "").length));

/** "" where a mark may stand, else the name of the text that says what is wrong. */
export function problemOf({ min, max, step }, mark) {
  if (!mark) return "";
  if (!/^-?\d+(\.\d+)?$/.test(mark)) return "bad";
  const places = placesOf(mark, min, max || "0", step === "any" ? "0" : step);
  const [value, low] = [scaled(mark, places), scaled(min, places)];
  if (value < low || (max && value > scaled(max, places))) return "bad";
  return step !== "any" && (value - low) % scaled(step, places) !== 0 ? "stepped" : "";
}

/** Show what is wrong beside each mark; true when nothing is. */
export function check(refused = "") {
  let right = true;
  for (const each of criteria) {
    const input = markOf(each.id);
    const word = problemOf(each, plain(input.value)) || (each.id === refused ? "bad" : "");
    const text = word ? status.dataset[word].replace("{min}", each.min).replace("{max}", each.max || "∞").replace("{step}", each.step) : "";
    document.getElementById(`error-${each.id}`).textContent = text;
    input.closest(".field").classList.toggle("field--invalid", Boolean(word));
    input.setAttribute("aria-invalid", String(Boolean(word)));
    if (word) right = false;
  }
  return right;
}

export const missing = () => criteria.filter((each) => !plain(markOf(each.id).value));

const isSame = (one, other) => one !== "" && Number(one) === Number(other);
const extreme = () => criteria.filter((each) => {
  const mark = plain(markOf(each.id).value);
  return mark && (isSame(each.min, mark) || isSame(each.max, mark));
});

/** Show the boxes of marks at an end of their range; returns { ticked, open }: criteria that are meant, and not yet. */
export function doubts() {
  const doubtful = new Set(extreme().map((each) => each.id));
  const found = { ticked: [], open: [] };
  for (const label of document.querySelectorAll("label[data-doubt]")) {
    const id = label.dataset.doubt;
    const box = label.querySelector("input");
    label.hidden = !doubtful.has(id);
    box.disabled = label.hidden;
    if (label.hidden) { box.checked = false; continue; }
    label.querySelector("strong").textContent = plain(markOf(id).value);
    (box.checked ? found.ticked : found.open).push(id);
  }
  return found;
}

export function showCheck(shown) {
  document.getElementById("check").hidden = !shown;
}

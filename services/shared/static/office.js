// What the office's pages do beside sending forms (desk.js): choosing several lines and acting on them after a look, fields
// that belong to one answer, the letter as it will read, answers shown once, and the switch between application and review.
import { bodyOf, call, Refused } from "./desk.js";

// ---- lines that are chosen, and one act on all of them ----

function wireBulk(form) {
  const boxes = Array.from(form.querySelectorAll("input[name=pick]"));
  const bar = form.querySelector(".bulk");
  const all = form.querySelector("[data-all]");
  const count = () => {
    const chosen = boxes.filter((box) => box.checked);
    bar.hidden = chosen.length === 0;
    bar.querySelector("[data-count]").textContent = chosen.length;
    all.checked = chosen.length === boxes.length;
    for (const button of bar.querySelectorAll("[data-preview]"))
      button.disabled = !chosen.some((box) => box.dataset.may === button.dataset.preview);
  };
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    count();
  });
  form.addEventListener("click", (event) => {
    const act = event.target.dataset.preview;
    if (!act) return;
    const panel = document.querySelector(`[data-bulk-preview="${act}"]`);
    preview(panel, boxes.filter((box) => box.checked && box.dataset.may === act));
  });
  count();
}

function preview(panel, chosen) {
  panel.chosen = chosen;
  panel.querySelector("[data-list]").replaceChildren(...chosen.map((box) => line(box.dataset.title)));
  panel.querySelector("[data-results]").hidden = true;
  panel.querySelector("[data-go]").hidden = false;
  panel.hidden = false;
  panel.focus();
  panel.scrollIntoView({ block: "nearest" });
}

function line(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}

async function goOn(panel) {
  const [method, path] = panel.dataset.call.split(" ");
  const fields = panel.querySelector("[data-fields]");
  if (fields && !fields.reportValidity()) return;
  const results = panel.querySelector("[data-results]");
  const list = panel.querySelector("[data-list]");
  panel.querySelector("[data-go]").hidden = true;
  for (const [index, box] of panel.chosen.entries()) {
    const body = { ...JSON.parse(panel.dataset.body || "{}"), ...(fields ? bodyOf(fields) : {}) };
    if (panel.dataset.with) body[panel.dataset.with] = Number(box.dataset[panel.dataset.with]);
    const item = list.children[index];
    try {
      const answer = await call(method, path.replace("{pick}", encodeURIComponent(box.value)), body);
      tell(item, "badge badge--done", results.dataset.done);
      if (answer.link) tell(item, "code", `${results.dataset.link}: ${answer.link}`);
    } catch (error) {
      tell(item, "badge badge--stop", error instanceof Refused ? error.message : String(error));
    }
  }
  const again = panel.querySelector("[data-close]");
  again.dataset.close = "reload";
  again.focus();
}

function tell(item, className, text) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = text;
  item.append(" ", made);
}

// ---- fields that belong to one answer only ----

function wireConditions(form) {
  const parts = Array.from(form.querySelectorAll("[data-only-when]"));
  const apply = () => {
    for (const part of parts) {
      const [name, value] = part.dataset.onlyWhen.split("=");
      const field = form.elements[name];
      part.hidden = !field || field.value !== value;
      for (const inside of part.querySelectorAll("input, select, textarea")) inside.disabled = part.hidden;
    }
  };
  form.addEventListener("change", apply);
  apply();
}

// ---- the letter, as it will read ----

function wireLetter(letter) {
  const form = letter.closest("form");
  if (!form) return;
  const write = () => {
    const reason = form.querySelector("input[name=reason]:checked");
    if (reason) letter.querySelector("[data-letter-reason]").textContent = reason.dataset.name;
    letter.querySelector("[data-letter-text]").textContent = form.elements.text.value.trim() || "……";
  };
  form.addEventListener("input", write);
  form.addEventListener("change", write);
}

// ---- a checklist: all the rest at once, and what was ticked survives a reload ----

function wireAnswers(form) {
  form.addEventListener("click", (event) => {
    const value = event.target.dataset.answerAll;
    if (!value) return;
    for (const box of form.querySelectorAll(`input[name^="items."][value="${value}"]`))
      if (!form.elements[box.name].value) box.checked = true;
    form.dispatchEvent(new Event("change"));
  });
}

function wireKeeping(form) {
  const key = `office.${form.dataset.keep}`;
  const stored = (act) => { try { return act(window.sessionStorage); } catch (error) { return null; } };
  const kept = JSON.parse(stored((box) => box.getItem(key)) || "{}");
  for (const field of form.elements) {
    if (!(field.name in kept)) continue;
    if (field.type === "radio") field.checked = kept[field.name] === field.value;
    else field.value = kept[field.name];
  }
  const keep = () => stored((box) => box.setItem(key, JSON.stringify(Object.fromEntries(new FormData(form)))));
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("done", () => stored((box) => box.removeItem(key)));
}

// ---- answers that are shown once ----

function showAnswer(form, answer) {
  if ("answerLink" in form.dataset) {
    if (!answer.link) { location.reload(); return; }
    const shown = document.querySelector("[data-link-place]");
    shown.querySelector("[data-link]").textContent = answer.link;
    shown.hidden = false;
    form.hidden = true;
    shown.focus();
  }
  if (form.dataset.shows) {
    const place = document.getElementById(form.dataset.shows);
    for (const each of place.querySelectorAll("[data-answer]")) each.textContent = answer[each.dataset.answer] || "";
    place.hidden = false;
    place.focus();
  }
}

document.addEventListener("done", (event) => showAnswer(event.target, event.detail));

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("copy" in button.dataset) navigator.clipboard.writeText(button.closest("[data-link-place]").querySelector("[data-link]").textContent);
  const panel = button.closest("[data-bulk-preview]");
  if (panel && "go" in button.dataset) goOn(panel);
  if (panel && "close" in button.dataset) {
    if (button.dataset.close === "reload") location.reload();
    else panel.hidden = true;
  }
  if (button.dataset.addRow) addRow(document.getElementById(button.dataset.addRow));
});

// ---- rows that a form may have more of ----

function addRow(rows) {
  const made = rows.lastElementChild.cloneNode(true);
  const number = rows.children.length;
  for (const part of made.querySelectorAll("[name], [id], [for]")) {
    for (const key of ["name", "id", "for"])
      if (part.hasAttribute(key)) part.setAttribute(key, part.getAttribute(key).replace(/\d+/, number));
    if ("value" in part && part.name) part.value = "";
  }
  rows.append(made);
  made.querySelector("input, select, textarea").focus();
}

// ---- application and review beside each other; on a narrow screen one at a time ----

function wirePanes(panes) {
  const group = panes.previousElementSibling;
  const buttons = Array.from(group.querySelectorAll("[data-show]"));
  const show = (name) => {
    panes.dataset.showing = name;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === name));
  };
  for (const button of buttons) button.addEventListener("click", () => { show(button.dataset.show); group.scrollIntoView(); });
  group.hidden = false;
  show(location.hash ? "sheet-pane" : "application-pane");
}

const each = (selector, wire) => document.querySelectorAll(selector).forEach(wire);
each("[data-bulk]", wireBulk);
each("form[data-keep]", wireKeeping);
each("form", wireConditions);
each("form", wireAnswers);
each("[data-letter]", wireLetter);
each(".panes", wirePanes);
each(".subnav [aria-current]", (link) => link.scrollIntoView({ block: "nearest", inline: "center" }));

// The pages of one application: binds the form to the saver, says how saving stands, asks where two people changed the
// same field. On pages without a form it stores what an earlier visit left behind, or shows what can be stored no more.

import { bindBudget } from "./budget.js";
import { described, same, valueIn } from "./content.js";
import { bindCreditCodes } from "./credit_code.js";
import { measure, nameOf, names, overlong, read, say, write } from "./fields.js";
import { forget, kept } from "./kept.js";
import { bindRows } from "./rows.js";
import { Saver } from "./saver.js";

const LEAVE_MS = 4000;
const given = document.getElementById("application").dataset;
const words = JSON.parse(given.words);
const titles = JSON.parse(given.titles);
const form = document.getElementById("form");
const status = document.getElementById("saved");
const disputes = document.getElementById("disputes");

function clock(at) {
  const form = { timeZone: given.timezone, hour: "2-digit", minute: "2-digit", hour12: false };
  return (at ? new Date(at) : new Date()).toLocaleTimeString("zh-CN", form);
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text || "";
  return element;
}

function button(text, act, className = "button") {
  const element = made("button", className, text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

const page = {
  names,

  show(state, detail) {
    if (!status) {
      // What an earlier visit left is stored now: the page tells how things stand with it.
      if (state === "saved") location.reload();
      return;
    }
    status.dataset.state = state;
    status.textContent = state === "refused" ? detail : words[state].replace("{time}", clock(detail));
  },

  adopt(name, value) {
    write(name, value);
  },

  dispute(name, theirs, mine, at) {
    const old = disputes.querySelector(`[data-name="${name}"]`);
    const box = made("section", "notice notice--wait dispute");
    box.dataset.name = name;
    box.setAttribute("role", "alertdialog");
    box.tabIndex = -1;
    box.append(made("h2", "notice__title", words.both.replace("{title}", titles[name] || name)));
    const sides = made("div", "dispute__sides");
    for (const [title, value, useMine, label] of [
      [words.theirs_title.replace("{time}", at ? clock(at) : ""), theirs, false, words.theirs],
      [words.mine_title, mine, true, words.mine],
    ]) {
      const side = made("div", "stack stack--tight");
      side.append(made("h3", "", title.replace("（）", "").replace("()", "")), made("p", "dispute__text", described(value) || words.nothing));
      side.append(button(label, () => {
        box.remove();
        saver.settle(name, useMine);
      }));
      sides.append(side);
    }
    box.append(sides);
    if (old) old.replaceWith(box);
    else disputes.append(box);
    box.setAttribute("aria-label", box.firstChild.textContent);
    box.focus();
    box.scrollIntoView({ block: "start" });
  },

  problems(list) {
    for (const each of list) say(each.field.replace("[", "-").replace("]", "").replace(/\./g, "-"), each.text);
  },
};

const saver = new Saver(given.application, Number(given.version), JSON.parse(given.content), page);

function typed(event) {
  const name = nameOf(event.target);
  if (!name) return;
  if (event.target.id && event.target !== form) say(event.target.id, "");
  const value = read(name);
  if (same(value, valueIn(saver.content, name)) && !saver.changes.has(name)) {
    overlong(name, words);
    return;
  }
  saver.change(name, value);
  if (overlong(name, words)) {
    saver.hold(name);
    page.show("held");
  }
}

function bindForm() {
  bindRows(form, words);
  bindBudget(form, words);
  bindCreditCodes(form, words, (field, verdict) => say(field.id, verdict.wrong ? verdict.text : ""));
  form.addEventListener("input", typed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("filled", (event) => overlong(event.target.dataset.field, words));
  for (const field of form.querySelectorAll("[data-max]")) if (field.value) measure(field, words);
}

// A link leaves the page when what was typed is stored; where it cannot be, the browser has it for the next visit.
async function leave(event) {
  const link = event.target.closest("a[href]");
  const plain = link && !link.target && !link.hash && link.origin === location.origin && event.button === 0;
  if (!plain || event.ctrlKey || event.metaKey || event.shiftKey || !saver.ready().length) return;
  event.preventDefault();
  const late = new Promise((resolve) => { setTimeout(resolve, LEAVE_MS); });
  await Promise.race([saver.flush(), late]);
  if (!saver.ready().length && !saver.disputed.size) location.assign(link.href);
}

/** The application takes no changes any more: what was typed and not stored is shown, to be copied or given up. */
function showUnsaved() {
  const found = kept(given.application).filter(([name, entry]) => !same(entry.value, valueIn(saver.content, name)));
  if (!found.length) return;
  const box = made("section", "notice notice--wait stack");
  box.append(made("h2", "notice__title", words.unsaved), made("p", "", words.unsaved_why));
  for (const [name, entry] of found) {
    const part = made("div", "stack stack--tight");
    const discard = button(words.discard, () => {
      forget(given.application, name);
      part.remove();
    }, "button button--quiet");
    part.append(made("h3", "", titles[name] || name), made("p", "dispute__text", described(entry.value)), discard);
    box.append(part);
  }
  disputes.append(box);
}

if (given.editable !== "1") showUnsaved();
else {
  if (form) bindForm();
  saver.restore();
  document.addEventListener("click", leave);
  window.addEventListener("online", () => saver.later(0));
  document.addEventListener("visibilitychange", () => { if (document.hidden && saver.ready().length) saver.flush(); });
  // Only where the browser keeps nothing would leaving lose what was typed.
  window.addEventListener("beforeunload", (event) => { if (saver.changes.size && !saver.keeps) event.preventDefault(); });
}

// The link of a consent is told once; copied, not typed.
document.addEventListener("done", (event) => {
  if (!("linkOnce" in event.target.dataset)) return;
  const shown = event.target.parentElement.querySelector(".link-once");
  shown.hidden = false;
  shown.querySelector("input").value = event.detail.link;
  shown.querySelector("input").focus();
  shown.querySelector("input").select();
});

document.addEventListener("click", async (event) => {
  if (!("copy" in event.target.dataset)) return;
  const field = event.target.parentElement.querySelector("input");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch (error) {
    document.execCommand("copy");
  }
  event.target.textContent = words.copied;
});

// The voting page as the other modules see it: its data and texts, its sections, and refusals told in place.

import { fill } from "./rule.js";
import { RoundStore, way } from "./store.js";

const STEPS = ["review", "phone", "code", "receipt"];
const { dataset } = document.getElementById("vote-data");

export const texts = JSON.parse(dataset.texts);
export const reasons = JSON.parse(dataset.reasons);
export const names = JSON.parse(dataset.names);
export const { title, worker } = dataset;
// The page people come back to from elsewhere serves every round: theirs is the one they left from.
export const round = dataset.round || (way.kept ? way.kept.round : "");
export const base = `/rounds/${encodeURIComponent(round)}`;
export const store = new RoundStore(round);
export const $ = (id) => document.getElementById(id);

// One section at a time; its heading takes the focus, so that a screen reader reads on from there.
export function show(step) {
  for (const section of document.querySelectorAll("main section[id^='step-']")) section.hidden = section.id !== `step-${step}`;
  if ($("steps")) $("steps").hidden = false;
  const now = STEPS.indexOf({ sending: "code", paused: "phone" }[step] || step);
  for (const item of document.querySelectorAll("#steps li")) {
    const place = STEPS.indexOf(item.dataset.step);
    item.classList.toggle("is-done", place < now || step === "receipt");
    if (place === now && step !== "receipt") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  const heading = document.querySelector(`#step-${step} h1`);
  if (heading !== null) heading.focus();
  window.scrollTo(0, 0);
}

export function hideNotice() {
  $("notice").hidden = true;
}

// A refusal in place: headline, what to do, and the buttons that do it.
export function tell(reason, more, actions) {
  const [title, text] = reasons[reason] || reasons.other;
  $("notice-title").textContent = title;
  $("notice-text").textContent = more ? `${text} ${more}` : text;
  const place = $("notice-actions");
  place.textContent = "";
  for (const [label, act] of actions || []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    place.appendChild(button);
  }
  $("notice").className = "notice notice--stop";
  $("notice").hidden = false;
  $("notice").scrollIntoView();
}

export function waiting(problem) {
  return problem.retry_after_s ? fill(texts.wait, { n: problem.retry_after_s }) : "";
}

export function fieldError(id, message) {
  $(`${id}-error`).textContent = message;
  const field = $(id);
  if (field === null) return;
  field.setAttribute("aria-invalid", String(Boolean(message)));
  field.closest(".field").classList.toggle("field--invalid", Boolean(message));
  if (message) field.focus();
}

// A moment in the round's own time zone, as the rest of the site writes it: Swedish has 2020-10-30 12:00.
export function local(moment) {
  return new Date(moment).toLocaleString("sv-SE", {
    timeZone: dataset.timezone, hour12: false, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  });
}

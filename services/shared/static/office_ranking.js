// An officer's ranking: applications move by buttons or Alt+arrows between "recommended" and "the rest", the quota stays in
// sight, and everything is saved in one call at the version that was read. Nothing is lost by a refusal.
import { call, refused } from "./desk.js";

const board = document.querySelector("[data-ranking]");
const ranked = board.querySelector("[data-ranked]");
const rest = board.querySelector("[data-rest]");
const state = document.querySelector("[data-state]");
const said = board.querySelector("[data-said]");
const saveForm = document.querySelector("[data-save]");
const sendForm = document.querySelector("[data-send]");
const places = board.dataset.places === "" ? Infinity : Number(board.dataset.places);
const quota = board.dataset.quota === "" ? Infinity : Number(board.dataset.quota);
let unsaved = false;

const items = (list) => Array.from(list.children);
const field = (item, name) => item.querySelector(`[data-${name}]`);
const textOf = (item, name) => (field(item, name) ? field(item, name).value.trim() : "");

function isOver() {
  const perUnit = {};
  for (const item of items(ranked)) perUnit[item.dataset.unit] = (perUnit[item.dataset.unit] || 0) + 1;
  return ranked.children.length > places || Object.values(perUnit).some((count) => count > quota);
}

function show() {
  items(ranked).forEach((item, index) => {
    item.querySelector("[data-rank]").textContent = index + 1;
    item.classList.remove("rank--rest");
  });
  for (const item of items(rest)) {
    item.querySelector("[data-rank]").textContent = "–";
    item.classList.add("rank--rest");
  }
  const open = items(rest).filter((item) => field(item, "reason") && !textOf(item, "reason")).length;
  board.querySelector("[data-none]").hidden = ranked.children.length > 0;
  document.querySelector("[data-taken]").textContent = ranked.children.length;
  state.className = isOver() ? "error" : "";
  if (isOver()) state.textContent = state.dataset.over;
  else if (unsaved) state.textContent = state.dataset.unsaved;
  else state.textContent = open ? state.dataset.open.replace("%s", open) : state.dataset.saved;
  if (sendForm) sendForm.querySelector("button").disabled = unsaved || open > 0 || isOver();
}

function changed() {
  unsaved = true;
  show();
}

function move(item, where) {
  const before = item.previousElementSibling, after = item.nextElementSibling;
  if (where === "up" && before) before.before(item);
  else if (where === "down" && after) after.after(item);
  else if (where === "in") ranked.append(item);
  else if (where === "out") rest.prepend(item);
  else return;
  changed();
  const place = items(ranked).indexOf(item) + 1;
  said.textContent = place ? said.dataset[where === "in" ? "in" : "up"].replace("%s", place) : said.dataset.out;
  item.focus();
  item.scrollIntoView({ block: "nearest" });
}

board.addEventListener("click", (event) => {
  const button = event.target.closest("[data-move]");
  if (!button) return;
  move(button.closest("[data-application]"), button.dataset.move);
  // The same button again, where it is still there: ordering is pressing it a few times.
  if (button.offsetParent) button.focus();
});

board.addEventListener("keydown", (event) => {
  const item = event.target.closest("[data-ranked] > [data-application]");
  if (!item || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  move(item, event.key === "ArrowUp" ? "up" : "down");
});

board.addEventListener("input", changed);

function told(list, name) {
  const texts = {};
  for (const item of items(list)) if (textOf(item, name)) texts[item.dataset.application] = textOf(item, name);
  return texts;
}

saveForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = saveForm.querySelector("button");
  button.disabled = true;
  try {
    const answer = await call("PUT", board.dataset.call, {
      ranked: items(ranked).map((item) => item.dataset.application),
      not_recommended: told(rest, "reason"),
      opinions: told(ranked, "opinion"),
      version: Number(board.dataset.version),
    });
    board.dataset.version = answer.version;
    if (sendForm) sendForm.elements.version.value = answer.version;
    unsaved = false;
    show();
  } catch (error) {
    refused(saveForm, error);
  } finally {
    button.disabled = false;
  }
});

window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

show();

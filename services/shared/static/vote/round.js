// The round and candidate pages: the device's order, filters, picking, the bar that says what is missing, the number pad.
// Without it the same pages can be read and filtered by the server.

import { call, Lost } from "./api.js";
import { NumberPad } from "./pad.js";
import { chosenCards, fill, problems } from "./rule.js";
import { deviceOrder, RoundStore } from "./store.js";

const data = document.getElementById("round-data");
const texts = JSON.parse(data.dataset.texts);
const names = JSON.parse(data.dataset.names);
const store = new RoundStore(data.dataset.round);
const path = `/rounds/${encodeURIComponent(data.dataset.round)}`;
const count = document.getElementById("bar-count");
const text = document.getElementById("bar-text");
const review = document.getElementById("bar-review");

function arrange(candidates) {
  const list = document.getElementById("cards");
  if (list === null) return;
  for (const { candidate } of candidates) {
    const card = document.getElementById(`c-${candidate}`);
    if (card !== null) list.appendChild(card);
  }
}

function filterCards(form, facts) {
  const wanted = { level: form.elements.level.value, category: form.elements.category.value };
  const words = form.elements.q.value.trim().toLowerCase();
  let shown = 0;
  for (const card of facts.candidates) {
    const node = document.getElementById(`c-${card.candidate}`);
    if (node === null) continue;
    const about = `${card.title} ${card.unit} ${card.summary}`.toLowerCase();
    const found = /^\d+$/.test(words) ? Number(words) === card.number : about.includes(words);
    node.hidden = !(found && (!wanted.level || wanted.level === card.level) && (!wanted.category || wanted.category === card.category));
    if (!node.hidden) shown += 1;
  }
  document.getElementById("filter-count").textContent = shown ? fill(texts.shown, { n: shown }) : texts.nothing;
}

function showChoices(facts) {
  const choices = store.choices;
  for (const button of document.querySelectorAll("[data-pick]")) {
    const picked = choices.includes(button.dataset.pick);
    button.hidden = false;
    button.setAttribute("aria-pressed", String(picked));
    button.querySelector("[data-pick-text]").textContent = picked ? `✓ ${texts.picked}` : texts.pick;
    const card = button.closest(".card");
    if (card !== null) card.classList.toggle("card--chosen", picked);
  }
  if (count === null) return;
  const chosen = chosenCards(facts, choices);
  const found = problems(facts, chosen, texts, names);
  const left = facts.ballot.choices_max - chosen.length;
  count.textContent = chosen.length ? fill(texts.chosen, { n: chosen.length }) : texts.none;
  text.textContent = found.length ? found.join(" ") : left ? fill(texts.can_add, { n: left }) : texts.ready;
  review.setAttribute("aria-disabled", String(found.length > 0));
}

function toggle(candidate) {
  const choices = store.choices;
  store.choices = choices.includes(candidate) ? choices.filter((each) => each !== candidate) : [...choices, candidate];
}

function listen(facts) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pick]");
    if (button === null) return;
    toggle(button.dataset.pick);
    showChoices(facts);
  });
  if (review !== null) {
    review.addEventListener("click", (event) => {
      if (review.getAttribute("aria-disabled") === "true") event.preventDefault();
    });
  }
  // Coming back with the browser's arrow shows the choices as they are now, not as they were.
  window.addEventListener("pageshow", () => showChoices(facts));
  window.addEventListener("storage", () => showChoices(facts));
}

async function showTurnout() {
  const place = document.getElementById("turnout");
  if (place === null || data.dataset.phase === "scheduled") return;
  const answer = await call("GET", `${path}/results`).catch(() => null);
  if (answer && answer.ok && answer.body.turnout > 0) {
    place.textContent = fill(texts.voters, { n: answer.body.turnout.toLocaleString("en") });
  }
}

// A page left open before the start opens by itself, each phone a little later than the last, so that they do not all ask at once.
function reloadAtOpening() {
  const wait = Date.parse(data.dataset.opens) - Date.now();
  if (data.dataset.phase === "scheduled" && wait < 24 * 3600 * 1000) {
    setTimeout(() => location.reload(), Math.max(wait, 0) + 1000 + Math.random() * 9000);
  }
}

async function start() {
  reloadAtOpening();
  showTurnout();
  let answer;
  try {
    answer = await call("GET", `${path}?order=${deviceOrder()}`);
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
  }
  if (!answer || !answer.ok) {
    if (text !== null) text.textContent = texts.offline;
    return;
  }
  const facts = answer.body;
  arrange(facts.candidates);
  const form = document.getElementById("filters");
  if (form !== null) {
    form.addEventListener("input", () => filterCards(form, facts));
    form.addEventListener("submit", (event) => event.preventDefault());
    filterCards(form, facts);
  }
  if (data.dataset.phase !== "open") return;
  listen(facts);
  showChoices(facts);
  const changed = (candidate) => {
    toggle(candidate);
    showChoices(facts);
  };
  new NumberPad(facts, store, texts, changed);
}

start();

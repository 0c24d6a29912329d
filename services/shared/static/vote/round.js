// The round and candidate pages: the device's order, filters, picking, the bar that says what is missing, the number pad.
// The round's page has all facts in its cards and needs no further answer. Without scripts the same pages can be read,
// and filtered by the server.

import { backoffMs, call, pauseUntilOnline } from "./api.js";
import { reloadAtOpening } from "./opening.js";
import { NumberPad } from "./pad.js";
import { chosenCards, fill, leftText, problems } from "./rule.js";
import { deviceOrder, RoundStore } from "./store.js";

const data = document.getElementById("round-data");
const texts = JSON.parse(data.dataset.texts);
const names = JSON.parse(data.dataset.names);
const store = new RoundStore(data.dataset.round);
const path = `/rounds/${encodeURIComponent(data.dataset.round)}`;
const count = document.getElementById("bar-count");
const left = document.getElementById("bar-left");
const atMost = left ? left.textContent : "";
const text = document.getElementById("bar-text");
const review = document.getElementById("bar-review");

const list = document.getElementById("cards");

// The cards that stand here, in the words of the API.
function factsHere() {
  const rule = JSON.parse(data.dataset.rule);
  const candidates = Array.from(list.children, (node) => {
    const { candidate, number, level, category, channel, group, withdrawn } = node.dataset;
    const summary = node.querySelector(".candidate__summary");
    return {
      candidate, number: Number(number), level, category, channel, group, withdrawn_at: withdrawn || null,
      channel_title: rule.channels[channel], title: node.querySelector("h3").textContent,
      unit: node.querySelector(".card__meta").textContent, summary: summary ? summary.textContent : "",
    };
  });
  return { ballot: rule.ballot, groups: rule.groups, candidates };
}

// Only where the device's order is not the one the page came in, or a particular one was asked for.
async function arrange(drawn) {
  const order = deviceOrder(drawn);
  if (order === drawn || new URLSearchParams(location.search).has("order")) return;
  const answer = await call("GET", `${path}?order=${order}`).catch(() => null);
  if (!answer || !answer.ok) return;
  for (const { candidate } of answer.body.candidates) {
    const card = document.getElementById(`c-${candidate}`);
    if (card !== null) list.appendChild(card);
  }
}

// What is filtered by stands in the address, so that it survives a reload and can be passed on.
function rememberFilter(form) {
  const wanted = new URLSearchParams(location.search);
  for (const name of ["level", "category", "q"]) {
    const value = form.elements[name].value.trim();
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  const query = String(wanted);
  history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
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
    if (button.hidden) button.hidden = false;
    if (button.getAttribute("aria-pressed") === String(picked)) continue;
    button.setAttribute("aria-pressed", String(picked));
    button.querySelector("[data-pick-text]").textContent = picked ? `✓ ${texts.picked}` : texts.pick;
    const card = button.closest(".card");
    if (card !== null) card.classList.toggle("card--chosen", picked);
  }
  if (list !== null) list.removeAttribute("data-picks");
  if (count === null) return;
  const chosen = chosenCards(facts, choices);
  const found = problems(facts, chosen, texts, names);
  count.textContent = chosen.length ? fill(texts.chosen, { n: chosen.length }) : texts.none;
  left.textContent = chosen.length ? leftText(facts, chosen.length, texts) : atMost;
  text.textContent = found.length ? found.join(" ") : texts.ready;
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

// A candidate's page knows only its own; it asks until it is answered.
async function factsAsked() {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call("GET", path).catch(() => null);
    if (answer && answer.ok) return answer.body;
    if (text !== null) text.textContent = texts.offline;
    await pauseUntilOnline(backoffMs(attempt));
  }
}

function listenToFilters(facts) {
  const form = document.getElementById("filters");
  form.addEventListener("input", () => {
    filterCards(form, facts);
    rememberFilter(form);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.elements.q.blur();
  });
  // Coming back, the browser may have filled in what was typed before; else the server has filtered already.
  const drawn = (field) => field.querySelector("option[selected]") || field.options[0];
  const { level, category, q } = form.elements;
  if (level.value !== drawn(level).value || category.value !== drawn(category).value || q.value !== q.defaultValue) {
    filterCards(form, facts);
  }
}

async function start() {
  reloadAtOpening(data.dataset);
  showTurnout();
  const facts = list === null ? await factsAsked() : factsHere();
  if (list !== null) {
    listenToFilters(facts);
    arrange(Number(data.dataset.order));
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

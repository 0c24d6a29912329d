// The big screen of a round: it runs for hours without a hand. What it shows is what `…/live` tells everybody.

import { live } from "./live.js";

const BARS = 24;
const BARS_LEAST = 8;
const HOUR_MS = 3600000;
const RELOAD_MS = 6 * HOUR_MS;
const LONG = 9;
const { dataset } = document.getElementById("screen");
const texts = JSON.parse(dataset.texts);
const $ = (id) => document.getElementById(id);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const counted = new Intl.NumberFormat(dataset.lang);
const hourOf = new Intl.DateTimeFormat("sv-SE", { timeZone: dataset.timezone, month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
const startedMs = Date.now();
const aheadAtStartMs = Number(dataset.now) - startedMs;
let state = null;
let word = "fresh";

const watch = live(`/api/voting/v1/rounds/${encodeURIComponent(dataset.round)}/live`, (fresh) => {
  state = fresh;
  showNumber();
  showTime();
  showHours();
}, { told: (now) => {
  word = now;
  $("state").textContent = texts[word] || "";
  $("state").hidden = word === "fresh";
} });

// The screen's own clock may be wrong; the server's is told with the page and with every heartbeat.
function nowMs() {
  return watch.aheadMs ? watch.now() : Date.now() + aheadAtStartMs;
}

function showNumber() {
  const text = counted.format(state.turnout);
  $("turnout").textContent = text;
  $("turnout").classList.toggle("screen__number--long", text.length > LONG);
}

const two = (number) => String(number).padStart(2, "0");

function left(untilMs) {
  const seconds = Math.max(0, Math.floor((untilMs - nowMs()) / 1000));
  const days = Math.floor(seconds / 86400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (!days) return clock;
  return `${days === 1 ? texts.day : fill(texts.days, { n: days })} ${clock}`;
}

// Between two messages the phase follows the clock, so that the last second is the last second.
function phaseNow() {
  if (state.state === "scheduled" && state.opens && nowMs() >= Date.parse(state.opens)) return "open";
  if (state.state === "open" && nowMs() >= Date.parse(state.closes)) return "closed";
  return state.state;
}

function showTime() {
  if (!state) return;
  const phase = phaseNow();
  const until = { scheduled: state.opens, open: state.closes }[phase];
  $("time-label").textContent = texts[phase] || "";
  $("time-left").textContent = until ? left(Date.parse(until)) : (state.closes ? hourOf.format(Date.parse(state.closes)) : "");
}

// The last day's hours up to the current one, or to the last of the vote; an hour without a vote is an empty place.
function recentHours() {
  const voters = new Map(state.hours.map((each) => [Date.parse(each.hour), each.voters]));
  const opens = Date.parse(state.opens);
  const lastMs = Math.min(nowMs(), Date.parse(state.closes) - 1);
  const last = Math.max(...voters.keys(), Math.floor(lastMs / HOUR_MS) * HOUR_MS);
  const first = Math.max(last - (BARS - 1) * HOUR_MS, Math.floor(opens / HOUR_MS) * HOUR_MS);
  const hours = [];
  for (let at = first; at <= last; at += HOUR_MS) hours.push({ at, voters: voters.get(at) || 0 });
  return hours;
}

function bar(place, width, height, name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const values = { x: place, y: 60 - height, width, height, class: name };
  for (const key of Object.keys(values)) made.setAttribute(key, values[key]);
  return made;
}

function showHours() {
  const hours = state.hours.length ? recentHours() : [];
  const most = Math.max(0, ...hours.map((each) => each.voters));
  const wide = 240 / Math.max(hours.length, BARS_LEAST);
  const open = phaseNow() === "open";
  const bars = hours.map((each, place) => {
    const height = most ? Math.max(each.voters ? 1.5 : 0, (each.voters / most) * 57) : 0;
    return bar(place * wide + wide * 0.14, wide * 0.72, height, open && place === hours.length - 1 ? "is-now" : "");
  });
  const place = $("hours");
  while (place.firstChild) place.removeChild(place.firstChild);
  for (const each of [bar(0, 240, 0.7, "ground"), ...bars]) place.appendChild(each);
  if (!hours.length) return;
  const said = fill(texts.hours, { from: hourOf.format(hours[0].at).slice(-5), most: counted.format(most) });
  $("hours").setAttribute("aria-label", said);
  $("hours-text").textContent = said;
}

// A television may not sleep, and after some hours the page begins anew while the server answers: nothing piles up.
async function stayAwake() {
  try {
    if (navigator.wakeLock && document.visibilityState === "visible") await navigator.wakeLock.request("screen");
  } catch (error) {
    // A browser that forbids it goes by its own settings.
  }
}

document.addEventListener("visibilitychange", stayAwake);
stayAwake();
setInterval(() => {
  showTime();
  if (word === "fresh" && Date.now() - startedMs > RELOAD_MS) location.reload();
}, 1000);

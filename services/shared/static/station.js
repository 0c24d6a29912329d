// A helper's station: one person after another. Nothing of a person is stored; after the receipt or a minute without a
// touch the page is loaded anew, which forgets everything. The helper's own token is renewed by the session cookie.

import { renewal, toSignIn } from "./session.js";
import { backoffMs, call, Lost, pause } from "./vote/api.js";
import { solve, Solutions } from "./vote/challenge.js";
import { NumberPad } from "./vote/pad.js";
import { $, base, fieldError, hideNotice, local, names, reasons, round, tell, texts, waiting, worker } from "./vote/page.js";
import { grouped } from "./vote/receipt.js";
import { chosenCards, fill, leftText, problems } from "./vote/rule.js";
import { uuid } from "./vote/store.js";

const IDLE_S = 60;
const WARN_S = 20;
const SEND_TRIES = 6;
const { station } = $("vote-data").dataset;
const solutions = new Solutions(round, worker);
const person = { request: null, token: "", choices: [], ballot: null };
let facts = null;
let pad = null;
let left = 0;
let busy = false;

// Loading the page anew is the one way that surely leaves nothing behind, neither in fields nor in memory.
function wipe() {
  for (const form of document.querySelectorAll("form")) form.reset();
  location.replace(location.pathname);
}

function touched() {
  if ($("step-receipt").hidden) left = IDLE_S;
}

function tick() {
  if (!$("step-ready").hidden || busy) return;
  left -= 1;
  const n = Math.max(left, 0);
  const receipt = !$("step-receipt").hidden;
  $("left").textContent = receipt ? fill(texts.left, { n }) : "";
  const warn = !receipt && left <= WARN_S;
  if (warn && $("idle").hidden) $("idle").scrollIntoView({ block: "nearest" });
  $("idle").hidden = !warn;
  $("idle-left").textContent = fill(texts.left, { n });
  if (left <= 0) wipe();
}

// One section at a time; its heading takes the focus, so that a screen reader and the keyboard go on from there.
const PLACES = { phone: 0, code: 0, over: 0, choose: 1, review: 2, sending: 2, receipt: 3 };

function show(step) {
  for (const section of document.querySelectorAll("main section[id^='step-']")) section.hidden = section.id !== `step-${step}`;
  $("steps").hidden = step === "ready";
  Array.from($("steps").children).forEach((item, place) => {
    item.classList.toggle("is-done", place < PLACES[step] || step === "receipt");
    if (place === PLACES[step] && step !== "receipt") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  const heading = document.querySelector(`#step-${step} h1`);
  if (heading !== null) heading.focus();
  window.scrollTo(0, 0);
}

async function helperToken() {
  const answer = await renewal();
  if (answer.status === 401) toSignIn();
  if (!answer.ok) throw new Lost("the sign-in of the helper");
  return (await answer.json()).token;
}

// Runs one step; while it waits for the server the page is not wiped, and what is refused can be left by "next".
async function step(button, work) {
  hideNotice();
  busy = true;
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (error.answer) refused(error.answer.body);
    else tell(error instanceof Lost ? "network" : "other", "", [[texts.next, wipe]]);
  } finally {
    button.disabled = false;
    busy = false;
    left = IDLE_S;
  }
}

function refused(problem) {
  tell(problem.reason, waiting(problem), [[texts.next, wipe]]);
}

// ---- signing in ----

// Before anybody types: is the helper still signed in, and is the vote open?
async function begin() {
  await helperToken();
  const state = await call("GET", `${base}/live`);
  const answer = await call("GET", base);
  if (!answer.ok || state.body.state !== "open") {
    refused(answer.ok ? { reason: "window_closed" } : answer.body);
    return;
  }
  facts = answer.body;
  show("phone");
  $("consent").focus();
  solutions.begin();
}

function identity() {
  const form = { phone: $("phone").value.trim(), consent: facts.consent, adult: $("age").checked };
  if ($("national-id")) {
    Object.assign(form, { name: $("person-name").value.trim(), national_id: $("national-id").value.trim(), consent_id: facts.consent });
  }
  if ($("district")) form.district = $("district").value.trim();
  return form;
}

function complete(form) {
  const agreed = $("consent").checked && $("age").checked;
  $("consent-error").textContent = agreed ? "" : texts.consent;
  const digits = form.phone.replace(/\D/g, "").length >= 11;
  fieldError("phone", digits ? "" : texts.phone);
  if (!agreed || !digits || !$("national-id")) return agreed && digits;
  const named = form.name && form.national_id && $("id-consent").checked;
  fieldError("national-id", named ? "" : texts.id_consent);
  return Boolean(named);
}

async function askCode(route) {
  const form = identity();
  if (!complete(form)) return;
  $("phone-status").textContent = texts.checking;
  try {
    let altcha = await solutions.take();
    $("phone-status").textContent = texts.asking;
    let answer = await call("POST", `${base}/codes`, { phone: form.phone, altcha, route });
    if (!answer.ok && answer.body.challenge) {
      altcha = await solve(answer.body.challenge, worker);
      answer = await call("POST", `${base}/codes`, { phone: form.phone, altcha, route });
    }
    if (!answer.ok) {
      solutions.begin();
      refused(answer.body);
      return;
    }
    person.request = answer.body.request;
    show("code");
    $("code").focus();
  } finally {
    $("phone-status").textContent = "";
  }
}

async function prove() {
  const code = $("code").value.normalize("NFKC").replace(/\s/g, "");
  fieldError("code", code ? "" : texts.code);
  if (!code) return;
  const token = await helperToken();
  const answer = await call("POST", `${base}/stations/${station}/sessions`, { ...identity(), request: person.request, code }, token);
  if (answer.ok) {
    person.token = answer.body.token;
    // From here on the screen says nothing about who stands in front of it.
    for (const form of document.querySelectorAll("form")) form.reset();
    show("over");
  } else if (answer.body.reason === "wrong_code") {
    const tries = answer.body.attempts_left;
    fieldError("code", Number.isInteger(tries) ? fill(texts.attempts_left, { n: tries }) : (reasons.wrong_code || reasons.other)[0]);
  } else {
    refused(answer.body);
  }
}

// ---- choosing ----

function choose(candidate) {
  const at = person.choices.indexOf(candidate);
  if (at < 0) person.choices.push(candidate);
  else person.choices.splice(at, 1);
  person.ballot = null;
  for (const box of document.querySelectorAll("#cards input")) box.checked = person.choices.includes(box.value);
  review();
}

function review() {
  const chosen = chosenCards(facts, person.choices);
  const found = chosen.length ? problems(facts, chosen, texts, names) : [];
  $("choose-count").textContent = chosen.length ? fill(texts.chosen, { n: chosen.length }) : texts.none;
  $("choose-missing").textContent = found.length ? found.join(" ") : chosen.length ? leftText(facts, chosen.length, texts) : "";
  $("check").disabled = !chosen.length || found.length > 0;
}

function taken() {
  pad = pad || new NumberPad(facts, person, texts, choose);
  review();
  show("choose");
}

// What was chosen, to be read once more; nothing of it leaves the screen but by "submit".
function check() {
  const place = $("chosen");
  place.textContent = "";
  for (const card of chosenCards(facts, person.choices)) {
    const item = document.createElement("li");
    item.className = "card";
    const number = document.createElement("strong");
    number.className = "number";
    number.textContent = `${card.number} `;
    item.append(number, `${card.title} · ${card.unit}`);
    place.appendChild(item);
  }
  show("review");
}

// People are told a number: typing it anywhere on the page of candidates opens the pad with it.
function typed(event) {
  if ($("step-choose").hidden || !$("pad").hidden || !/^\d$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  pad.open();
  pad.press(event.key);
}

// ---- the ballot ----

async function cast() {
  // The id stays with these choices: sending the same ballot again is harmless.
  person.ballot = person.ballot || { ballot_id: uuid(), choices: [...person.choices] };
  show("sending");
  let altcha = "";
  for (let attempt = 1; attempt <= SEND_TRIES; attempt += 1) {
    const body = altcha ? { ...person.ballot, altcha } : person.ballot;
    const answer = await call("POST", `${base}/ballots`, body, person.token).catch(() => null);
    if (answer && answer.ok) {
      recorded(answer.body);
      return;
    }
    if (answer && answer.status === 428) altcha = await solve(answer.body.challenge, worker);
    else if (answer && answer.status < 500) {
      show("review");
      refused(answer.body);
      return;
    } else await pause(backoffMs(attempt, answer && answer.body.retry_after_s));
  }
  show("review");
  tell("network");
}

function recorded({ receipt, recorded_at: at }) {
  Object.assign(person, { request: null, token: "", choices: [], ballot: null });
  for (const box of document.querySelectorAll("#cards input")) box.checked = false;
  $("chosen").textContent = "";
  $("pad-chosen").textContent = "";
  hideNotice();
  show("receipt");
  $("receipt").textContent = grouped(receipt);
  $("receipt-at").textContent = local(at);
  $("step-after").hidden = false;
}

$("begin").addEventListener("click", () => step($("begin"), begin));
$("phone-form").addEventListener("submit", (event) => {
  event.preventDefault();
  step($("phone-send"), () => askCode("sms"));
});
$("voice").addEventListener("click", () => step($("voice"), () => askCode("voice")));
$("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  step($("code-send"), prove);
});
$("taken").addEventListener("click", taken);
$("cards").addEventListener("change", (event) => choose(event.target.value));
$("check").addEventListener("click", check);
$("change").addEventListener("click", () => show("choose"));
$("cast").addEventListener("click", () => step($("cast"), cast));
$("print").addEventListener("click", () => window.print());
$("longer").addEventListener("click", () => { left = IDLE_S; });
$("stay").addEventListener("click", touched);
document.addEventListener("keydown", typed);
for (const button of document.querySelectorAll("[data-wipe]")) button.addEventListener("click", wipe);
for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, touched);
// A page that the browser kept for its back button would show the person before.
window.addEventListener("pageshow", (event) => event.persisted && wipe());
setInterval(tick, 1000);

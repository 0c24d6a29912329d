// From the review to the receipt: one page whose sections are shown in turn. Every refusal is told where it happens,
// with what to do next; the phone number and the code exist only in their fields and in the request that sends them.

import { backoffMs, call, Lost, pause } from "./api.js";
import { Solutions, solve } from "./challenge.js";
import { grouped, picture } from "./receipt.js";
import { chosenCards, fill, problems } from "./rule.js";
import { RoundStore } from "./store.js";

const STEPS = ["review", "phone", "code", "receipt"];
const data = document.getElementById("vote-data");
const texts = JSON.parse(data.dataset.texts);
const reasons = JSON.parse(data.dataset.reasons);
const names = JSON.parse(data.dataset.names);
const base = `/rounds/${encodeURIComponent(data.dataset.round)}`;
const store = new RoundStore(data.dataset.round);
const solutions = new Solutions(data.dataset.round, data.dataset.worker);
const $ = (id) => document.getElementById(id);

let facts = null;
let request = null;
let resendTimer = 0;

function show(step) {
  for (const section of document.querySelectorAll("main section[id^='step-']")) section.hidden = section.id !== `step-${step}`;
  const now = STEPS.indexOf(step === "sending" ? "code" : step);
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

function hideNotice() {
  $("notice").hidden = true;
}

// A refusal in place: headline, what to do, and the buttons that do it.
function tell(reason, more, actions) {
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

function waiting(problem) {
  return problem.retry_after_s ? fill(texts.wait, { n: problem.retry_after_s }) : "";
}

function fieldError(id, message) {
  $(`${id}-error`).textContent = message;
  const field = $(id);
  if (field === null) return;
  field.setAttribute("aria-invalid", String(Boolean(message)));
  field.closest(".field").classList.toggle("field--invalid", Boolean(message));
  if (message) field.focus();
}

// ---- review ----

function chosenItem(card) {
  const item = document.createElement("li");
  item.className = "card chosen";
  const plate = document.createElement("span");
  plate.className = "plate";
  plate.textContent = card.number;
  const about = document.createElement("p");
  about.textContent = `${card.title} · ${card.unit}`;
  const drop = document.createElement("button");
  drop.type = "button";
  drop.className = "button button--quiet";
  drop.textContent = texts.remove;
  drop.setAttribute("aria-label", `${texts.remove} ${card.number} ${card.title}`);
  drop.addEventListener("click", () => {
    store.choices = store.choices.filter((each) => each !== card.candidate);
    review();
  });
  item.append(plate, about, drop);
  return item;
}

function review() {
  const chosen = chosenCards(facts, store.choices);
  const list = $("chosen");
  list.textContent = "";
  for (const card of chosen) list.appendChild(chosenItem(card));
  const found = chosen.length ? problems(facts, chosen, texts, names) : [texts.empty];
  $("review-missing").textContent = found.join(" ");
  $("review-done").disabled = found.length > 0;
}

function reviewed() {
  hideNotice();
  if (store.session) {
    submit();
    return;
  }
  show("phone");
  solutions.begin();
}

// ---- phone ----

function phoneForm() {
  const form = { phone: $("phone").value.trim() };
  if ($("person-name")) Object.assign(form, { name: $("person-name").value.trim(), national_id: $("national-id").value.trim() });
  if ($("district")) form.district = $("district").value.trim();
  return form;
}

function phoneComplete(form) {
  const agreed = $("consent").checked && $("age").checked;
  $("consent-error").textContent = agreed ? "" : texts.consent;
  if (!agreed) {
    $("consent").focus();
    return false;
  }
  const digits = form.phone.replace(/\D/g, "");
  fieldError("phone", digits.length >= 11 ? "" : texts.phone);
  if (digits.length < 11) return false;
  if (!$("national-id")) return true;
  const named = form.name && form.national_id && $("id-consent").checked;
  fieldError("national-id", named ? "" : texts.id_consent);
  return Boolean(named);
}

async function askCode(route) {
  const form = phoneForm();
  if (!phoneComplete(form)) return;
  hideNotice();
  const button = $("phone-send");
  button.disabled = true;
  $("phone-status").textContent = texts.checking;
  try {
    const altcha = await solutions.take();
    $("phone-status").textContent = texts.asking;
    codeAsked(await call("POST", `${base}/codes`, { phone: form.phone, altcha, route }), route);
  } catch (error) {
    cannotAsk(error);
  } finally {
    button.disabled = false;
    $("phone-status").textContent = "";
  }
}

function cannotAsk(error) {
  if (error.answer) tell(error.answer.body.reason, waiting(error.answer.body));
  else if (error instanceof Lost) tell("network");
  else if (error.message === "no_crypto") tell("other", texts.no_crypto);
  else tell("challenge_failed");
}

function codeAsked(answer, route) {
  if (answer.ok) {
    request = answer.body.request;
    show("code");
    $("code").value = "";
    $("code").focus();
    countDown(answer.body.resend_after_s);
    if (route === "voice" || resendTimer) solutions.begin();
    return;
  }
  const { reason } = answer.body;
  if (reason === "bad_phone") {
    show("phone");
    fieldError("phone", reasons.bad_phone[0]);
  } else tell(reason, waiting(answer.body));
  solutions.begin();
}

function countDown(seconds) {
  clearInterval(resendTimer);
  let left = seconds;
  const tick = () => {
    $("resend-text").textContent = left > 0 ? fill(texts.resend_in, { n: left }) : "";
    $("resend").disabled = $("voice").disabled = left > 0;
    if (left <= 0) clearInterval(resendTimer);
    left -= 1;
  };
  tick();
  resendTimer = setInterval(tick, 1000);
}

// ---- code ----

async function prove() {
  const code = $("code").value.normalize("NFKC").replace(/\s/g, "");
  fieldError("code", code ? "" : texts.code);
  if (!code) return;
  hideNotice();
  const button = $("code-send");
  button.disabled = true;
  try {
    const form = { ...phoneForm(), request, code, consent: facts.consent };
    proven(await call("POST", `${base}/sessions`, form));
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    tell("network");
  } finally {
    button.disabled = false;
  }
}

function proven(answer) {
  if (answer.ok) {
    store.session = answer.body;
    $("code").value = "";
    submit();
    return;
  }
  const { reason, attempts_left: left } = answer.body;
  if (reason === "wrong_code") {
    fieldError("code", Number.isInteger(left) ? fill(texts.attempts_left, { n: left }) : reasons.wrong_code[0]);
  } else if (reason === "bad_national_id") {
    show("phone");
    fieldError("national-id", reasons.bad_national_id[0]);
  } else {
    tell(reason, waiting(answer.body), [[texts.new_code, () => { hideNotice(); show("phone"); solutions.begin(); }]]);
  }
}

// ---- the ballot ----

async function submit() {
  hideNotice();
  show("sending");
  $("sending-text").textContent = texts.sending;
  const ballot = store.ballot(chosenCards(facts, store.choices).map((card) => card.candidate));
  const session = store.session;
  if (session === null) {
    refused({ reason: "bad_token" });
    return;
  }
  let altcha = "";
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sent(altcha ? { ...ballot, altcha } : ballot, session.token);
    if (answer && answer.ok) {
      recorded(answer.body);
      return;
    }
    if (answer && answer.status === 428) {
      $("sending-text").textContent = texts.again_checking;
      altcha = await solve(answer.body.challenge, data.dataset.worker).catch(() => "");
    } else if (answer && answer.status < 500) {
      refused(answer.body, session.token);
      return;
    }
    if (!answer || answer.status >= 500 || !altcha) await waitBefore(attempt + 1, answer);
  }
}

// The answer, or null when the connection was lost: then nobody knows, and the same ballot is sent again.
async function sent(body, token) {
  try {
    return await call("POST", `${base}/ballots`, body, token);
  } catch (error) {
    if (error instanceof Lost) return null;
    throw error;
  }
}

async function waitBefore(attempt, answer) {
  let left = Math.ceil(backoffMs(attempt - 1, answer && answer.body.retry_after_s) / 1000);
  for (; left > 0; left -= 1) {
    $("sending-text").textContent = fill(texts.retrying, { n: left, try: attempt });
    await pause(1000);
  }
  $("sending-text").textContent = texts.sending;
}

async function refused(problem, token) {
  const { reason } = problem;
  if (reason === "bad_token") {
    store.session = null;
    show("phone");
    solutions.begin();
    tell(reason);
    return;
  }
  show("review");
  const actions = [];
  if (reason === "window_closed" && problem.opens_at) {
    tell(reason, fill(texts.not_open, { opens: local(problem.opens_at), closes: local(problem.closes_at) }));
    return;
  }
  if (reason === "too_many_attempts") actions.push([texts.retry, submit]);
  if (reason === "already_voted" || reason === "ballot_id_reused") await offerReceipt(token, actions);
  tell(reason, waiting(problem), actions);
}

// Who has voted with this sign-in a moment ago may see that ballot's receipt again.
async function offerReceipt(token, actions) {
  const answer = await call("GET", `${base}/ballots/mine`, null, token).catch(() => null);
  if (answer && answer.ok) actions.push([texts.see_receipt, () => { location.href = `/receipts/${answer.body.receipt}`; }]);
}

// ---- the receipt ----

function local(moment) {
  const options = { timeZone: data.dataset.timezone, hour12: false, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  return new Date(moment).toLocaleString(data.dataset.lang === "en" ? "en-GB" : "zh-CN", options);
}

function recorded(body) {
  const receipt = { receipt: body.receipt, recorded_at: body.recorded_at };
  store.finish(receipt);
  showReceipt(receipt);
}

function showReceipt({ receipt, recorded_at: moment }) {
  show("receipt");
  $("receipt").textContent = grouped(receipt);
  $("recorded-at").textContent = local(moment);
  $("receipt-link").href = `/receipts/${receipt}`;
  $("receipt-picture").src = picture({ receipt, title: data.dataset.title, recordedAt: local(moment), texts });
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("receipt").textContent);
  } catch (error) {
    getSelection().selectAllChildren($("receipt"));
    document.execCommand("copy");
  }
  $("receipt-copy").textContent = texts.copied;
}

function nextPerson() {
  store.forget();
  location.href = base;
}

function listen() {
  $("review-done").addEventListener("click", reviewed);
  $("phone-form").addEventListener("submit", (event) => { event.preventDefault(); askCode("sms"); });
  $("code-form").addEventListener("submit", (event) => { event.preventDefault(); prove(); });
  $("resend").addEventListener("click", () => askCode("sms"));
  $("voice").addEventListener("click", () => askCode("voice"));
  $("receipt-copy").addEventListener("click", copy);
  $("next-person").addEventListener("click", nextPerson);
  for (const button of document.querySelectorAll("[data-back]")) {
    button.addEventListener("click", () => { hideNotice(); show(button.dataset.back); });
  }
}

async function start() {
  listen();
  const kept = store.receipt;
  if (kept !== null && store.choices.length === 0) {
    showReceipt(kept);
    return;
  }
  const answer = await call("GET", base).catch(() => null);
  if (!answer || !answer.ok) {
    tell(answer ? answer.body.reason : "network", "", [[texts.retry, () => location.reload()]]);
    return;
  }
  facts = answer.body;
  show("review");
  review();
}

start();

// From the review to the receipt: one page whose sections are shown in turn. A ballot keeps its id until a receipt is
// there, so that sending it again is harmless; every refusal is told where it happens, with what to do next.

import { backoffMs, call, Lost, pause, pauseUntilOnline } from "./api.js";
import { solve } from "./challenge.js";
import { reloadAtOpening } from "./opening.js";
import { $, base, hideNotice, local, names, show, store, tell, texts, title, waiting, worker } from "./page.js";
import { grouped, showPicture } from "./receipt.js";
import { chosenCards, fill, problems } from "./rule.js";
import { askPhone } from "./sign_in.js";

let facts = null;

// ---- review ----

function chosenItem(card) {
  const item = document.createElement("li");
  item.className = "card chosen";
  const plate = document.createElement("span");
  plate.className = "plate";
  plate.textContent = card.number;
  const about = document.createElement("p");
  const heading = document.createElement("strong");
  heading.textContent = card.title;
  const unit = document.createElement("span");
  unit.className = "card__meta";
  unit.textContent = card.unit;
  about.append(heading, document.createElement("br"), unit);
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
  if (store.session) submit();
  else askPhone(facts.consent, submit);
}

// ---- the ballot ----

async function submit() {
  hideNotice();
  show("sending");
  sayWaiting("sending_title", texts.sending);
  const ballot = store.ballot(chosenCards(facts, store.choices).map((card) => card.candidate));
  const session = store.session;
  if (session === null) {
    refused({ reason: "bad_token" });
    return;
  }
  let unsure = store.underway;
  store.underway = true;
  let altcha = "";
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sent(altcha ? { ...ballot, altcha } : ballot, session.token);
    if (answer && answer.ok) {
      recorded(answer.body);
      return;
    }
    if (answer && answer.status === 428) {
      sayWaiting("sending_title", texts.again_checking);
      altcha = await solve(answer.body.challenge, worker).catch(() => "");
    } else if (answer && answer.status < 500) {
      store.underway = unsure;
      refused(answer.body, session.token);
      return;
    }
    unsure = unsure || !answer;
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

// Waits with jitter and says so: a lost connection and a busy server are told apart. Being connected again, or pressing
// the button, ends the wait; the heading does not take the focus anew.
async function waitBefore(attempt, answer) {
  const title = answer ? "busy_title" : "lost_title";
  const text = answer ? texts.busy : texts.retrying;
  let hurried = false;
  const hurry = () => { hurried = true; };
  window.addEventListener("online", hurry);
  $("sending-now").onclick = hurry;
  $("sending-now").hidden = Boolean(answer);
  let left = Math.ceil(backoffMs(attempt - 1, answer && answer.body.retry_after_s) / 1000);
  for (; left > 0 && !hurried; left -= 1) {
    sayWaiting(title, fill(text, { n: left, try: attempt }));
    for (let part = 0; part < 5 && !hurried; part += 1) await pause(200);
  }
  window.removeEventListener("online", hurry);
  $("sending-now").hidden = true;
  sayWaiting("sending_title", texts.sending);
}

function sayWaiting(title, text) {
  $("sending-title").textContent = texts[title];
  $("sending-text").textContent = text;
}

async function refused(problem, token) {
  const { reason } = problem;
  if (reason === "bad_token") {
    store.session = null;
    askPhone(facts.consent, submit);
    tell(store.underway ? "unfinished" : reason);
    return;
  }
  store.underway = false;
  if (reason === "window_closed") {
    // The server's page says since when, and what to do next.
    location.reload();
    return;
  }
  show("review");
  const actions = [];
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
  showPicture($("receipt-picture"), receipt, { receipt, title, recordedAt: local(moment), texts });
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
  $("receipt-copy").addEventListener("click", copy);
  $("next-person").addEventListener("click", nextPerson);
  for (const button of document.querySelectorAll("[data-back]")) {
    button.addEventListener("click", () => { hideNotice(); show(button.dataset.back); });
  }
}

// The round's facts; where they do not come the page says so and goes on asking.
async function ask() {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await call("GET", base).catch(() => null);
    if (answer && answer.ok) return answer.body;
    tell(answer ? answer.body.reason : "network");
    await pauseUntilOnline(backoffMs(attempt));
    hideNotice();
  }
}

async function start() {
  listen();
  const kept = store.receipt;
  if (kept !== null && store.choices.length === 0) {
    showReceipt(kept);
    return;
  }
  const unfinished = store.underway;
  if ($("vote-data").dataset.phase !== "open" && !unfinished) {
    reloadAtOpening($("vote-data").dataset);
    return;
  }
  facts = await ask();
  const resumed = store.takeResume();
  show("review");
  review();
  if ($("review-done").disabled) return;
  // After the end too: a ballot that was recorded in time gets its receipt.
  if (store.session && (resumed || unfinished)) submit();
  else if (unfinished) tell("unfinished");
}

start();

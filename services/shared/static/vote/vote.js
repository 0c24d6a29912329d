// From the review to the receipt: one page whose sections are shown in turn. A ballot keeps its id until a receipt is
// there, so that sending it again is harmless; every refusal is told where it happens, with what to do next.

import { backoffMs, call, Lost, pause } from "./api.js";
import { solve } from "./challenge.js";
import { $, base, hideNotice, local, names, show, store, tell, texts, title, waiting, worker } from "./page.js";
import { grouped, picture } from "./receipt.js";
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
  if (store.session) submit();
  else askPhone(facts.consent, submit);
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
      altcha = await solve(answer.body.challenge, worker).catch(() => "");
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
    askPhone(facts.consent, submit);
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
  $("receipt-picture").src = picture({ receipt, title, recordedAt: local(moment), texts });
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
  if (store.takeResume() && !$("review-done").disabled) submit();
}

start();

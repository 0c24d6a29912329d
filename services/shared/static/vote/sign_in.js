// Phone, challenge, code, session. The number and the code exist only in their fields and in the request that sends them.

import { call, Lost } from "./api.js";
import { Solutions, solve } from "./challenge.js";
import { agreed, declared } from "./declaration.js";
import { $, base, fieldError, hideNotice, reasons, round, show, store, tell, texts, waiting, worker } from "./page.js";
import { fill } from "./rule.js";
import { offerWays } from "./ways.js";

const solutions = new Solutions(round, worker);
let request = null;
let lastRoute = "sms";
let resendTimer = 0;
let consent = "";
let whenSignedIn = null;

// Shows the form of the phone; `then` runs once a code is proven. `version` is that of the privacy notice.
export function askPhone(version, then) {
  consent = version;
  whenSignedIn = then;
  show("phone");
  solutions.begin();
  if (request === null) request = store.codeRequest;
  if ($("have-code")) $("have-code").hidden = request === null;
}

function phoneForm() {
  const form = { phone: $("phone").value.trim(), ...declared(consent) };
  if ($("person-name")) Object.assign(form, { name: $("person-name").value.trim(), national_id: $("national-id").value.trim() });
  return form;
}

function phoneComplete(form) {
  if (!agreed()) return false;
  if ($("national-id")) {
    const named = Boolean(form.name && form.national_id);
    fieldError("national-id", named ? "" : texts.named);
    if (!named) return false;
  }
  const enough = form.phone.replace(/\D/g, "").length >= Number($("vote-data").dataset.phoneDigits);
  fieldError("phone", enough ? "" : texts.phone);
  return enough;
}

function toCode() {
  show("code");
  $("code").value = "";
  $("code").focus();
}

// A code that was just sent to this number is still good: whoever corrected the ID goes on with it.
function phoneDone() {
  if (request && $("resend").disabled && resendTimer) withCodeInHand();
  else askCode("sms");
}

function withCodeInHand() {
  if (!phoneComplete(phoneForm())) return;
  hideNotice();
  toCode();
  if (!resendTimer) countDown(0);
}

async function askCode(route) {
  const form = phoneForm();
  if (!phoneComplete(form)) return;
  lastRoute = route;
  hideNotice();
  const button = $("phone-send");
  button.disabled = true;
  $("phone-status").textContent = texts.checking;
  try {
    const ask = (altcha) => {
      $("phone-status").textContent = texts.asking;
      return call("POST", `${base}/codes`, { phone: form.phone, altcha, route });
    };
    let answer = await ask(await solutions.take());
    // A number under suspicion is asked for more work once; the person only waits a little longer.
    if (!answer.ok && answer.body.challenge) {
      $("phone-status").textContent = texts.checking;
      answer = await ask(await solve(answer.body.challenge, worker));
    }
    codeAsked(answer);
  } catch (error) {
    cannotAsk(error);
  } finally {
    button.disabled = false;
    $("phone-status").textContent = "";
  }
}

function cannotAsk(error) {
  const retry = [[texts.retry, () => askCode(lastRoute)]];
  if (error.answer) tell(error.answer.body.reason, waiting(error.answer.body), retry);
  else if (error instanceof Lost) tell("network", "", retry);
  else if (error.message === "no_crypto") tell("other", texts.no_crypto);
  else tell("challenge_failed", "", retry);
}

function codeAsked(answer) {
  if (answer.ok) {
    request = answer.body.request;
    store.keepCodeRequest(request, answer.body.expires_in_s);
    toCode();
    countDown(answer.body.resend_after_s);
    return;
  }
  const { reason } = answer.body;
  if (reason === "bad_phone") {
    show("phone");
    fieldError("phone", reasons.bad_phone[0]);
  } else if (reason === "codes_paused") paused(answer.body.retry_after_s || 30);
  else tell(reason, waiting(answer.body), answer.status >= 500 ? [[texts.retry, () => askCode(lastRoute)]] : []);
  solutions.begin();
}

// No codes for anybody at the moment: a page of its own, which says when to try again.
function paused(seconds) {
  show("paused");
  let left = seconds;
  const tick = () => {
    $("paused-text").textContent = left > 0 ? fill(texts.paused, { n: left }) : texts.paused_over;
    $("paused-again").disabled = left > 0;
    if (left > 0) setTimeout(tick, 1000);
    left -= 1;
  };
  tick();
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

async function prove() {
  const code = $("code").value.normalize("NFKC").replace(/\s/g, "");
  fieldError("code", code ? "" : texts.code);
  if (!code) return;
  hideNotice();
  const button = $("code-send");
  button.disabled = true;
  try {
    const form = { ...phoneForm(), request, code };
    proven(await call("POST", `${base}/sessions`, form));
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    tell("network", "", [[texts.retry, prove]]);
  } finally {
    button.disabled = false;
  }
}

function proven(answer) {
  if (answer.ok) {
    store.session = answer.body;
    $("code").value = "";
    whenSignedIn();
    return;
  }
  const { reason, attempts_left: left } = answer.body;
  if (reason === "wrong_code" && left !== 0) {
    fieldError("code", Number.isInteger(left) ? fill(texts.attempts_left, { n: left }) : reasons.wrong_code[0]);
  } else if (reason === "bad_national_id") {
    show("phone");
    fieldError("national-id", reasons.bad_national_id[0]);
  } else tell(reason, waiting(answer.body), [nextStep(reason)]);
}

// What helps against a refusal: other details, the same again, or a new code.
function nextStep(reason) {
  if (reason === "identity_conflict" || reason === "too_young") return [texts.change, () => { hideNotice(); show("phone"); }];
  if (reason === "identity_unavailable" || reason === "unavailable" || reason === "overloaded") return [texts.retry, prove];
  if (reason === "consent_missing") return [texts.reload, () => location.reload()];
  return [texts.new_code, again];
}

function again() {
  hideNotice();
  forgetRequest();
  askPhone(consent, whenSignedIn);
}

function forgetRequest() {
  request = null;
  store.keepCodeRequest(null);
  if ($("have-code")) $("have-code").hidden = true;
}

$("phone-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("phone")) phoneDone();
});
$("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  prove();
});
// Another number was not sent the code. After a reload nobody knows which number it was: the button beside it asks.
if ($("phone")) $("phone").addEventListener("input", () => { if (resendTimer) forgetRequest(); });
if ($("have-code")) $("have-code").querySelector("button").addEventListener("click", withCodeInHand);
if ($("paused-again")) $("paused-again").addEventListener("click", () => {
  askPhone(consent, whenSignedIn);
  askCode(lastRoute);
});
offerWays(solutions, () => consent);
$("resend").addEventListener("click", () => askCode("sms"));
$("voice").addEventListener("click", () => askCode("voice"));

// Back from the identity provider or from WeChat: the one-time code leaves the address before anything else happens, is
// sent in a body, and the ballot under way goes on as after a code on the phone.
//
// WeChat's phone code comes from the mini program around this page, whose button the person presses while this page
// waits: it sets the address of its web view to this page's own with `#phone_code=…`, which loads nothing anew.

import { call, Lost } from "./api.js";
import { Solutions } from "./challenge.js";
import { $, base, hideNotice, round, show, store, tell, texts, waiting, worker } from "./page.js";
import { way } from "./store.js";

const came = new URLSearchParams(location.search);
const fragment = new URLSearchParams(location.hash.slice(1));
clearAddress();
const kept = way.kept;
const solutions = new Solutions(round, worker);

function clearAddress() {
  history.replaceState(null, "", location.pathname);
  // The links of the header were given what stood in the address.
  for (const link of document.querySelectorAll("a[data-switch]")) {
    const target = new URL(link.href);
    for (const name of [...target.searchParams.keys()]) {
      if (name !== "lang" && name !== "large") target.searchParams.delete(name);
    }
    target.hash = "";
    link.href = target.href;
  }
}

function backToVote() {
  location.replace(`${base}/vote`);
}

function stopped(reason, more, actions) {
  show("stopped");
  tell(reason, more, actions || [[texts.again, backToVote]]);
}

async function send(path, form) {
  hideNotice();
  show("working");
  try {
    const answer = await call("POST", `${base}/sessions/${path}`, { ...kept.declared, ...form });
    if (answer.ok) signedIn(answer.body);
    else stopped(answer.body.reason, waiting(answer.body));
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    stopped("network", "", [[texts.retry, () => send(path, form)], [texts.again, backToVote]]);
  }
}

function signedIn(session) {
  way.kept = null;
  store.session = session;
  store.resume();
  backToVote();
}

async function withPhoneCode(phoneCode) {
  show("working");
  try {
    send("wechat", { code: came.get("code"), phone_code: phoneCode, altcha: await solutions.take() });
  } catch (error) {
    stopped(error.answer ? error.answer.body.reason : "challenge_failed");
  }
}

function byWechat() {
  if (came.get("state") !== kept.state) {
    stopped("route_refused");
    return;
  }
  const phoneCode = came.get("phone_code") || fragment.get("phone_code");
  if (phoneCode) {
    withPhoneCode(phoneCode);
    return;
  }
  solutions.begin();
  show("allow");
  $("by-code").addEventListener("click", backToVote);
  window.addEventListener("hashchange", () => {
    const found = new URLSearchParams(location.hash.slice(1)).get("phone_code");
    clearAddress();
    if (found) withPhoneCode(found);
  });
}

function start() {
  const mine = $("vote-data").dataset.way;
  if (!kept || kept.way !== mine) {
    stopped("elsewhere", "", [[texts.home, () => location.replace("/")]]);
  } else if (!came.get("code")) stopped("route_refused");
  else if (mine === "oidc") send("oidc", { flow: kept.flow, state: came.get("state") || "", code: came.get("code") });
  else byWechat();
}

start();

// Ways to sign in that lead away from here: to the identity provider, or to WeChat. What must be known on coming back is
// kept for this tab only, and is never a phone, an ID or a code; `return.js` goes on from there.

import { call, Lost } from "./api.js";
import { agreed, declared } from "./declaration.js";
import { $, base, hideNotice, round, tell, texts, waiting } from "./page.js";
import { uuid, way } from "./store.js";

// A mini program's web view: elsewhere WeChat has no button that proves a phone.
const IN_MINI_PROGRAM = /MicroMessenger/i.test(navigator.userAgent) && /miniProgram/i.test(navigator.userAgent);

async function toIssuer(solutions, version) {
  const answer = await call("POST", `${base}/oidc`, { altcha: await solutions.take() });
  if (!answer.ok) {
    solutions.begin();
    tell(answer.body.reason, waiting(answer.body));
    return;
  }
  way.kept = { way: "oidc", round, flow: answer.body.flow, declared: declared(version) };
  location.assign(answer.body.authorize_url);
}

async function toWechat(address, version) {
  const state = uuid();
  way.kept = { way: "wechat", round, state, declared: declared(version) };
  location.assign(`${address}${state}#wechat_redirect`);
}

async function leave(button, go) {
  if (!agreed()) return;
  hideNotice();
  button.disabled = true;
  $("phone-status").textContent = texts.leaving;
  try {
    await go();
  } catch (error) {
    if (error.answer) tell(error.answer.body.reason, waiting(error.answer.body));
    else tell(error instanceof Lost ? "network" : "challenge_failed");
  } finally {
    button.disabled = false;
    $("phone-status").textContent = "";
  }
}

// Shows the buttons of the ways that are set up; `version` tells the present privacy notice's.
export function offerWays(solutions, version) {
  const [oidc, wechat] = [$("by-oidc"), $("by-wechat")];
  if (oidc) oidc.addEventListener("click", () => leave(oidc, () => toIssuer(solutions, version())));
  if (!wechat || !IN_MINI_PROGRAM) return;
  wechat.hidden = $("other-ways").hidden = false;
  wechat.addEventListener("click", () => leave(wechat, () => toWechat($("vote-data").dataset.wechat, version())));
}

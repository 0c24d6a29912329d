// The administrator's page of one round: every five seconds it asks voting and scoring for their state, and it does
// the acts (seal, propose, confirm) through the same interfaces. The token lives in memory only and is renewed by the
// session cookie; texts come from the page, so that this file has no language.
const root = document.getElementById("round");
const { round, username, timezone, mayAct, hasVoting } = root.dataset;
const words = JSON.parse(root.dataset.words);
const voting = `/api/voting/v1/rounds/${encodeURIComponent(round)}`;
const scoring = `/api/scoring/v1/rounds/${encodeURIComponent(round)}`;
const EVERY_MS = 5000;
const RENEW_BEFORE_MS = 60000;
let token = "";
let expiresMs = 0;

const place = (name) => document.querySelector(`[data-live="${name}"]`);
const say = (name, value) => { place(name).textContent = value === null || value === undefined ? "–" : String(value); };

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function link(href, text) {
  const made = element("a", "", text);
  made.href = href;
  return made;
}

// Swedish writes dates as the rest of the page does: 2020-10-30 12:00, here in the round's own time zone.
const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
const moment = (text) => (text ? clock.format(new Date(text)) : "–");

async function renew() {
  const answer = await fetch("/api/registry/v1/sessions/renew", { method: "POST" });
  if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  if (!answer.ok) throw new Error(words.unreachable);
  const fresh = await answer.json();
  token = fresh.token;
  expiresMs = Date.parse(fresh.expires_at);
}

async function call(path, method = "GET") {
  if (Date.now() > expiresMs - RENEW_BEFORE_MS) await renew();
  const headers = { authorization: `Bearer ${token}` };
  if (method === "POST") headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: method === "POST" ? "{}" : undefined });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(words.reasons[body.reason] || body.detail || words.unreachable);
  return body;
}

function showVoting(state) {
  say("turnout", state.turnout);
  for (const name of ["recorded", "held", "excluded", "restored"]) say(name, state.ballots && state.ballots[name]);
  say("sealed", state.sealed_at ? moment(state.sealed_at) : words.not_sealed);
  const [text, kind] = words.phases[state.phase] || [state.phase, ""];
  place("phase").replaceChildren(element("span", kind ? `badge badge--${kind}` : "badge", text));
  offer("seal", state.phase === "closed" && !state.sealed_at);
}

function showPanel(panel) {
  const rows = panel.map((each) => {
    const row = element("tr", "", element("th", "", each.name || each.expert));
    row.firstChild.scope = "row";
    for (const key of ["assigned", "saved", "submitted", "recused"]) row.append(element("td", "number", each[key] || 0));
    return row;
  });
  const cell = element("td", "muted", words.no_experts);
  cell.colSpan = 5;
  place("panel").replaceChildren(...(rows.length ? rows : [element("tr", "", cell)]));
}

function rankingRow(ranking) {
  const [text, kind] = words.states[ranking.state] || [ranking.state, ""];
  const file = `${scoring}/rankings/${ranking.version}`;
  const acts = element("td", "");
  if (ranking.state === "published") acts.append(link(`/results/${encodeURIComponent(round)}`, words.results));
  else if (ranking.state === "proposed" && mayAct) {
    if (ranking.proposed_by === username) acts.append(words.wait_for_second);
    else acts.append(actButton(words.confirm, () => call(`${file}/confirmations`, "POST")));
  }
  return element(
    "tr", "",
    element("td", "number", ranking.version),
    element("td", "", element("span", kind ? `badge badge--${kind}` : "badge", text), " ", ranking.proposed_by || ""),
    element("td", "", link(`${file}.csv`, "CSV"), " · ", link(`${file}.xlsx`, "XLSX")),
    acts,
  );
}

function showScoring(state) {
  showPanel(state.panel || []);
  const rankings = state.rankings || [];
  // A row with a button under the pointer or waiting for its second press is left alone while nothing changed.
  const key = JSON.stringify(rankings.map((each) => [each.version, each.state, each.proposed_by]));
  const body = place("rankings");
  if (rankings.length && body.dataset.key !== key) {
    body.dataset.key = key;
    body.replaceChildren(...rankings.map(rankingRow));
  }
  const settled = rankings.some((each) => each.state === "published" || each.state === "proposed");
  offer("propose", Boolean(state.tally || !hasVoting) && !settled);
}

// An act wants a second press on the same button, so that nothing happens by a slip of the hand.
function armed(button, act) {
  const text = button.textContent;
  let timer = 0;
  const rest = () => { button.textContent = text; delete button.dataset.armed; };
  button.addEventListener("click", async () => {
    clearTimeout(timer);
    if (!button.dataset.armed) {
      button.dataset.armed = "1";
      button.textContent = words.press_again;
      timer = setTimeout(rest, 6000);
      return;
    }
    rest();
    button.disabled = true;
    try {
      await act();
      await refresh();
    } catch (error) {
      trouble(error.message);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

function actButton(text, act) {
  const button = element("button", "button button--primary", text);
  button.type = "button";
  return armed(button, act);
}

function offer(name, wanted) {
  const button = document.querySelector(`[data-act="${name}"]`);
  if (button) button.hidden = !wanted;
}

let actTrouble = "";
function trouble(text, fromAct = true) {
  if (fromAct) actTrouble = text;
  const shown = text || actTrouble;
  place("trouble").textContent = shown;
  place("trouble").hidden = !shown;
}

async function refresh() {
  const answers = await Promise.allSettled([call(`${voting}/state`).then(showVoting), call(`${scoring}/state`).then(showScoring)]);
  const failed = answers.find((each) => each.status === "rejected");
  trouble(failed ? failed.reason.message : "", false);
}

async function keepFresh() {
  if (document.visibilityState === "visible") await refresh().catch(() => {});
  setTimeout(keepFresh, EVERY_MS);
}

const acts = { seal: () => call(`${voting}/seal`, "POST"), propose: () => call(`${scoring}/rankings`, "POST") };
for (const button of document.querySelectorAll("[data-act]")) {
  armed(button, () => { actTrouble = ""; return acts[button.dataset.act](); });
}
keepFresh();

// The administrators' page of one round: keeps turnout, holds, progress and rankings fresh from voting and scoring, and
// does the acts (seal, propose, confirm) through the same interfaces. Texts come from the page: this file has no language.
import { Refused, call, watch } from "../desk.js";
import { clockOf, element, filled, link } from "./build.js";
import { scoringWaits, votingWaits } from "./elsewhere.js";
import { showHours } from "./hours.js";

const root = document.getElementById("round");
const { round, username, timezone, mayAct, decides, hasVoting } = root.dataset;
const words = JSON.parse(root.dataset.words);
const voting = `/api/voting/v1/rounds/${encodeURIComponent(round)}`;
const scoring = `/api/scoring/v1/rounds/${encodeURIComponent(round)}`;
const moment = clockOf(timezone);
const waits = { voting: [], scoring: [] };
const away = new Set();

const place = (name) => document.querySelector(`[data-live="${name}"]`);
const say = (name, value) => { place(name).textContent = value === null || value === undefined ? "–" : String(value); };
const badge = ([text, kind]) => element("span", kind ? `badge badge--${kind}` : "badge", text);

function offer(name, wanted) {
  const part = document.querySelector(`[data-act-part="${name}"]`);
  if (part) part.hidden = !wanted;
}

function trouble(text) {
  place("trouble").textContent = text;
  place("trouble").hidden = !text;
}

function told(service) {
  return (word) => {
    if (word === "fresh") away.delete(service);
    else away.add(service);
    trouble(away.size ? words.unreachable : "");
  };
}

function showVoting(state) {
  place("phase").replaceChildren(badge(words.phases[state.phase] || [state.phase, ""]));
  if (!hasVoting) return;
  say("turnout", state.turnout);
  for (const name of ["recorded", "held", "excluded", "restored"]) say(name, state.ballots && state.ballots[name]);
  say("sealed", state.sealed_at ? moment(state.sealed_at) : words.not_sealed);
  showHours(place("hours"), state.turnout_by_hour || [], words.hours, timezone);
  const since = state.since_seal;
  const changed = since && !since.undecided && since.excluded + since.restored > 0 && !state.list_confirmed_at;
  offer("seal", Boolean(changed) || (state.phase === "closed" && !state.sealed_at));
  offer("close", state.phase === "open");
  offer("remove", state.phase !== "open");
  if (decides) votingWaits(round).then(showHolds).catch(() => {});
}

function showHolds({ holds, items }) {
  waits.voting = items;
  showWaits();
  const today = new Date().toISOString().slice(0, 10);
  const lines = holds.map((each) => {
    const due = each.due_on || "";
    const state = each.decided_by && !each.confirmed_by ? badge([words.holds.second, "wait"]) : badge([filled(words.holds.due, { day: due }), due < today ? "stop" : ""]);
    return element("li", "todo", link(`/rounds/${encodeURIComponent(round)}/staff/holds`, filled(words.holds.ballots, { n: each.ballots })), state);
  });
  place("holds").replaceChildren(lines.length ? element("ul", "plain stack--tight", ...lines) : element("p", "muted", words.holds.none));
}

function showWaits() {
  const items = [...waits.voting, ...waits.scoring];
  if (!place("waiting")) return;
  place("waiting").replaceChildren(...items.map((each) => {
    const by = filled(words.waiting.proposed, { name: each.by });
    const own = each.by === username ? ` · ${words.waiting.own}` : "";
    return element("li", "todo", link(each.href, words.waiting[each.kind]), element("span", "muted", `${by} · ${moment(each.at)}${own}`));
  }));
  if (place("nothing")) place("nothing").hidden = items.length > 0;
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
  const file = `${scoring}/rankings/${ranking.version}`;
  const acts = element("td", "");
  if (ranking.state === "published") acts.append(link(`/results/${encodeURIComponent(round)}`, words.results));
  else if (ranking.state === "proposed" && mayAct) {
    if (ranking.proposed_by === username) acts.append(words.wait_for_second);
    else acts.append(actButton(words.confirm, () => call("POST", `${file}/confirmations`, {})));
  }
  return element(
    "tr", "",
    element("td", "number", ranking.version),
    element("td", "", badge(words.states[ranking.state] || [ranking.state, ""]), " ", ranking.proposed_by || ""),
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
  if (decides) scoringWaits(round, rankings).then((items) => { waits.scoring = items; showWaits(); }).catch(() => {});
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
    trouble("");
    try {
      await act();
      await refresh();
    } catch (error) {
      trouble(error instanceof Refused ? error.message : words.unreachable);
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

async function refresh() {
  showVoting(await call("GET", `${voting}/state`));
  showScoring(await call("GET", `${scoring}/state`));
}

const acts = { seal: () => call("POST", `${voting}/seal`, {}), propose: () => call("POST", `${scoring}/rankings`, {}) };
for (const button of document.querySelectorAll("[data-act]")) armed(button, acts[button.dataset.act]);
watch(`${voting}/state`, showVoting, told("voting"));
watch(`${scoring}/state`, showScoring, told("scoring"));

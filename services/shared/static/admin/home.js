// The first page of administrators: what waits for them in voting and scoring, round by round, asked once.
import { call } from "../desk.js";
import { element, filled, link } from "./build.js";
import { scoringWaits, votingWaits } from "./elsewhere.js";

const root = document.getElementById("elsewhere");
const words = JSON.parse(root.dataset.words);
const me = root.dataset.username;

function add(round, item, more = "") {
  const told = more || filled(words.proposed, { name: item.by });
  const line = element("li", "todo", element("span", "", link(item.href, words[item.kind]), ` · ${round}`), element("span", "muted", told));
  root.append(line);
  const nothing = document.getElementById("nothing");
  if (nothing) nothing.hidden = true;
}

async function ofVoting(round) {
  const { holds, items } = await votingWaits(round);
  items.filter((each) => each.by !== me).forEach((each) => add(round, each));
  const undecided = holds.filter((each) => !each.decided_by || each.confirmed_by);
  if (!undecided.length) return;
  const day = undecided.map((each) => each.due_on || "").sort()[0];
  const told = `${filled(words.undecided, { n: undecided.length })} · ${filled(words.due, { day })}`;
  add(round, { kind: "hold", href: `/rounds/${encodeURIComponent(round)}/staff/holds` }, told);
}

async function ofScoring(round) {
  const state = await call("GET", `/api/scoring/v1/rounds/${encodeURIComponent(round)}/state`);
  (await scoringWaits(round, state.rankings || [])).filter((each) => each.by !== me).forEach((each) => add(round, each));
}

async function ask() {
  const away = new Set();
  for (const round of JSON.parse(root.dataset.rounds)) {
    await ofVoting(round).catch(() => away.add("voting"));
    await ofScoring(round).catch(() => away.add("scoring"));
  }
  for (const service of away) root.append(element("li", "muted", filled(words.away, { service: words[service] })));
}

ask();

// The operator's status page: three services told by themselves, each over a stream of its own, shown as they come.

import { watch } from "../desk.js";
import { History, spark } from "./history.js";
import { problems } from "./problems.js";

const SERVICES = ["registry", "voting", "scoring"];
const SPARKS = 60;
const root = document.getElementById("status");
const words = JSON.parse(root.dataset.words);
const histories = Object.fromEntries(SERVICES.map((name) => [name, new History()]));
const away = new Set();
const old = new Set();
const sparks = {};
const counted = new Intl.NumberFormat(root.dataset.lang, { maximumFractionDigits: 1 });
const moment = (text, timeZone) => new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" }).format(Date.parse(text));
const clock = new Intl.DateTimeFormat("sv-SE", { timeStyle: "medium" });

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const number = (value) => (value === null || value === undefined ? words.unknown : counted.format(value));
const ms = (seconds) => (seconds === null ? words.unknown : fill(words.ms, { n: counted.format(seconds * 1000) }));
const percent = (part, whole) => (whole ? `${counted.format((100 * part) / whole)}%` : words.unknown);
const perSecond = (value) => fill(words.per_s, { n: counted.format(value) });

function badge([text, kind]) {
  const made = document.createElement("span");
  made.className = `badge badge--${kind}`;
  made.textContent = text;
  return made;
}

// A cell is a text, a number (right-aligned) or an element; the first of a row is its heading.
function row(cells) {
  const made = document.createElement("tr");
  cells.forEach((cell, at) => {
    const place = document.createElement(at === 0 ? "th" : "td");
    if (at === 0) place.scope = "row";
    if (typeof cell === "object" && cell.figure !== undefined) {
      place.className = "number";
      place.textContent = cell.figure;
    } else place.append(cell);
    made.append(place);
  });
  return made;
}

const figure = (text) => ({ figure: text });

function table(name, rows) {
  const body = document.querySelector(`[data-rows="${name}"]`);
  const columns = body.closest("table").tHead.rows[0].cells.length;
  if (rows.length) body.replaceChildren(...rows.map(row));
  else {
    const empty = row([words.nothing]);
    empty.firstChild.colSpan = columns;
    body.replaceChildren(empty);
  }
}

function gauge(name, text, value) {
  document.querySelector(`[data-live="${name}"]`).textContent = text;
  const values = sparks[name] = (sparks[name] || []).concat(value === null ? 0 : value).slice(-SPARKS);
  spark(document.querySelector(`[data-spark="${name}"]`), values);
}

// ---- all services ----

function stateOf(name) {
  if (away.has(name)) return words.away;
  if (old.has(name)) return words.old;
  const { checks } = histories[name].newest;
  return Object.keys(checks).every((check) => checks[check] === "ok" || check === "valkey") ? words.ready : words.unready;
}

function serviceRow(name) {
  const history = histories[name];
  const status = history.newest;
  const seconds = (each) => each.requests.seconds;
  const { database, valkey } = status;
  return [
    words.services[name], badge(stateOf(name)),
    figure(perSecond(history.perSecond((each) => seconds(each).count))),
    figure(number(history.grown((each) => each.requests.by_status["5xx"]))),
    figure(ms(history.quantile(seconds, 0.5))), figure(ms(history.quantile(seconds, 0.99))),
    figure(database ? ms(database.answer_ms / 1000) : words.away[0]), figure(valkey ? ms(valkey.answer_ms / 1000) : words.away[0]),
    figure(database ? fill(words.of, { n: database.connections, most: database.connections_max }) : words.unknown),
    figure(database ? fill(words.mb, { n: counted.format(database.size_bytes / 2 ** 20) }) : words.unknown),
    figure(number(Object.values(status.live_streams).reduce((sum, each) => sum + each, 0))),
  ];
}

function showServices(known) {
  table("services", SERVICES.map((name) => (known.includes(name) ? serviceRow(name) : [words.services[name], badge(away.has(name) ? words.away : [words.asking, "wait"])])));
  const all = (part) => known.flatMap((name) => (histories[name].newest[part] || []).map((each) => [name, each]));
  table("follows", all("follows").map(([name, each]) => [
    words.services[name], words.streams[each.stream] || each.stream,
    figure(each.lag_s === null ? words.never : fill(words.s, { n: counted.format(each.lag_s) })), figure(number(each.entries)),
  ]));
  table("publishes", all("publishes").map(([name, each]) => [
    words.services[name], words.streams[each.stream] || each.stream, figure(number(each.last)), figure(number(each.waiting)),
  ]));
  table("refusals", known.flatMap((name) => Object.keys(histories[name].newest.refusals).map((reason) => [
    words.services[name], reason, figure(number(histories[name].grown((each) => each.refusals[reason]))),
    figure(number(histories[name].newest.refusals[reason])),
  ])));
}

// ---- voting ----

const counts = (history, read, texts) => Object.keys(read(history.newest)).map((word) => [
  texts[word] || word, figure(number(history.grown((each) => read(each)[word]))), figure(number(read(history.newest)[word])),
]);

function showBallots(history) {
  const { ballots } = history.newest;
  const decided = (each) => Object.values(each.ballots.decisions).reduce((sum, count) => sum + count, 0);
  const recorded = history.perSecond((each) => each.ballots.decisions.recorded);
  const refused = history.perSecond((each) => decided(each) - (each.ballots.decisions.recorded || 0) - (each.ballots.decisions.repeated || 0));
  gauge("recorded", perSecond(recorded), recorded);
  gauge("refused", perSecond(refused), refused);
  const wait = history.quantile((each) => each.ballots.seconds, 0.99);
  gauge("wait", ms(wait), wait);
  const batch = history.mean((each) => each.ballots.batch);
  gauge("batch", number(batch), batch);
  gauge("queue", fill(words.of, { n: number(ballots.queue), most: number(ballots.queue_max) }), ballots.queue);
  const ledger = history.quantile((each) => each.ballots.ledger_seconds, 0.99);
  gauge("ledger", ms(ledger), ledger);
  table("decisions", counts(history, (each) => each.ballots.decisions, words.decisions));
}

function showWindows({ windows }) {
  table("windows", windows.map((each) => [
    each.rehearsal ? `${each.title}（${words.rehearsal}）` : each.title, badge(words.phases[each.phase]),
    each.closes ? moment(each.closes, each.timezone) : words.unknown, figure(number(each.turnout)),
  ]));
}

function showCodes(history) {
  const { codes } = history.newest;
  const sent = history.perSecond((each) => each.codes.asked.sent);
  const signed = history.perSecond((each) => each.codes.sign_ins.signed_in);
  gauge("sent", perSecond(sent), sent);
  gauge("signed", perSecond(signed), signed);
  for (const span of ["minute", "day"]) {
    const { [span]: used, [`${span}_max`]: most } = codes.spent;
    gauge(`spent_${span}`, fill(words.of, { n: number(used), most: number(most) }), used);
  }
  const asked = counts(history, (each) => each.codes.asked, words.outcomes);
  table("codes", asked.concat(counts(history, (each) => each.codes.sign_ins, words.outcomes)));
  table("deliveries", codes.deliveries.map((each) => [each.provider, words.outcomes[each.outcome] || each.outcome, figure(number(each.count))]));
}

function showFairness({ holds, blocks, turnstile }) {
  const of = (reason, state) => holds.filter((each) => each.reason === reason && each.state === state).reduce((sum, each) => sum + each.ballots, 0);
  const held = holds.filter((each) => each.state === "held").reduce((sum, each) => sum + each.ballots, 0);
  gauge("held", number(held), held);
  gauge("limited", percent(blocks.limited, blocks.attempts), blocks.limited);
  gauge("restored", percent(blocks.restored, blocks.decided), blocks.restored);
  gauge("local", number(turnstile.local), turnstile.local);
  const reasons = [...new Set(holds.map((each) => each.reason))];
  table("holds", reasons.map((reason) => [
    words.holds[reason] || reason, ...["held", "excluded", "restored"].map((state) => figure(number(of(reason, state)))),
  ]));
}

// ---- the whole ----

function showVerdict(known) {
  const found = problems(histories, away, words);
  const verdict = document.getElementById("verdict");
  verdict.className = `badge badge--${found.length ? "stop" : "done"}`;
  verdict.textContent = found.length ? fill(words.attention, { n: found.length }) : words.fine;
  if (known.length + away.size < SERVICES.length) verdict.textContent = words.asking;
  const list = document.getElementById("problems");
  list.hidden = !found.length;
  list.replaceChildren(...found.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  if (known.length) document.getElementById("as-of").textContent = clock.format(Math.max(...known.map((name) => Date.parse(histories[name].newest.at))));
}

function show() {
  const known = SERVICES.filter((name) => histories[name].newest);
  showServices(known);
  const voting = histories.voting;
  if (voting.newest && voting.newest.ballots) {
    showBallots(voting);
    showWindows(voting.newest);
    showCodes(voting);
    showFairness(voting.newest);
  }
  showVerdict(known);
}

for (const name of SERVICES) {
  watch(`/api/${name}/v1/status`, (status) => {
    away.delete(name);
    histories[name].add(status);
    show();
  }, (word) => {
    for (const [set, kind] of [[away, "away"], [old, "stale"]]) {
      if (word === kind) set.add(name);
      else set.delete(name);
    }
    show();
  });
}

// What of all the numbers somebody should look at, in words: each says what it means and what to do. Worst first.

const LAG_S = 10;
const CLOCK_S = 0.5;
const QUEUE_SHARE = 0.5;
const SPEND_SHARE = 0.8;
const PATIENCE = 100;

function ofService(name, history, fill, words) {
  const status = history.newest;
  const service = words.services[name];
  const found = [];
  const unwell = Object.keys(status.checks).filter((check) => status.checks[check] !== "ok" && check !== "valkey");
  if (!status.database) found.push(fill("database", { service }));
  else if (unwell.length) found.push(fill("checks", { service, what: unwell.map((each) => words.checks[each] || each).join("、") }));
  const errors = history.grown((each) => each.requests.by_status["5xx"]);
  if (errors) found.push(fill("errors", { service, n: errors }));
  if (Math.abs(status.clock_offset_s) > CLOCK_S) found.push(fill("clock", { service, n: status.clock_offset_s }));
  for (const each of status.follows || []) {
    if (each.lag_s === null || each.lag_s > LAG_S) {
      found.push(fill("lag", { service, stream: words.streams[each.stream], n: each.lag_s === null ? "∞" : Math.round(each.lag_s) }));
    }
  }
  for (const each of status.publishes || []) {
    if (each.waiting > PATIENCE) found.push(fill("backlog", { service, stream: words.streams[each.stream], n: each.waiting }));
  }
  for (const each of status.loops_failed) {
    const again = history.grown((old) => (old.loops_failed.find((other) => other.loop === each.loop) || { count: 0 }).count);
    if (again) found.push(fill("loops", { service, what: each.loop, n: again }));
  }
  return found;
}

function ofVoting(history, fill) {
  const { ballots, codes, holds } = history.newest;
  if (!ballots) return [];
  const found = [];
  const overloaded = history.grown((each) => each.ballots && each.ballots.decisions.overloaded);
  if (overloaded) found.push(fill("overloaded", { n: overloaded }));
  if (ballots.queue > ballots.queue_max * QUEUE_SHARE) found.push(fill("queue", { n: Math.round((100 * ballots.queue) / ballots.queue_max) }));
  if (history.grown((each) => each.ballots && each.ballots.retries)) found.push(fill("retries", {}));
  const { spent } = codes;
  const share = spent.day / spent.day_max;
  if (share >= 1 || spent.minute >= spent.minute_max) found.push(fill("paused", {}));
  else if (share > SPEND_SHARE) found.push(fill("spend", { n: Math.round(100 * share) }));
  const held = holds.filter((each) => each.state === "held").reduce((sum, each) => sum + each.ballots, 0);
  if (held) found.push(fill("holds", { n: held }));
  return found;
}

/** Sentences about what is wrong; `histories` by service, `away` the services that do not answer. */
export function problems(histories, away, words) {
  const fill = (name, values) => words.problems[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const found = [...away].map((name) => fill("away", { service: words.services[name] }));
  const known = Object.keys(histories).filter((name) => !away.has(name) && histories[name].newest);
  if (known.some((name) => histories[name].newest.valkey === null)) found.push(fill("valkey", {}));
  for (const name of known) found.push(...ofService(name, histories[name], fill, words));
  if (known.includes("voting")) found.push(...ofVoting(histories.voting, fill));
  return found;
}

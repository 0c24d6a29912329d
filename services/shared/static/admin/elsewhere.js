// What waits for a second signature in voting and scoring, told alike on the first page and on a round's page.
import { call } from "../desk.js";

const api = (service, round, path) => `/api/${service}/v1/rounds/${encodeURIComponent(round)}/${path}`;
const page = (round, path) => `/rounds/${encodeURIComponent(round)}/staff/${path}`;
const panels = (round, path) => `/panels/${encodeURIComponent(round)}${path}`;

/** Holds, and acts of voting with one signature: {holds, items: [{kind, by, at, href}]}. */
export async function votingWaits(round) {
  const [holds, reissues] = await Promise.all([call("GET", api("voting", round, "holds")), call("GET", api("voting", round, "reissues"))]);
  const decided = holds.filter((each) => each.decided_by && !each.confirmed_by);
  return {
    holds: holds.filter((each) => each.state === "held"),
    items: [
      ...decided.map((each) => ({ kind: "hold", by: each.decided_by, at: each.proposed_at, href: page(round, "holds") })),
      ...reissues.filter((each) => !each.confirmed_by).map((each) => ({ kind: "reissue", by: each.proposed_by, at: each.proposed_at, href: page(round, "reissues") })),
    ],
  };
}

/** Acts of scoring with one signature; `rankings` are those of its state. */
export async function scoringWaits(round, rankings) {
  const answer = await call("GET", api("scoring", round, "proposals"));
  const open = (answer.items || []).filter((each) => !each.confirmed_by && !each.confirmed_at);
  return [
    ...rankings.filter((each) => each.state === "proposed").map((each) => ({ kind: "ranking", by: each.proposed_by, at: each.proposed_at, href: panels(round, "/rankings") })),
    ...open.map((each) => ({ kind: "proposal", by: each.proposed_by, at: each.proposed_at, href: panels(round, "") })),
  ];
}

// Turnout by hour as bars with a table beside them. Totals only: nothing here knows a candidate, a unit or a district.
import { clockOf, drawn, element, filled } from "./build.js";

const HOUR_MS = 3600000;
const WIDTH = 600;
const HEIGHT = 140;
const BARS_MAX = 24 * 31;
// So that the first hour of a vote is no wall.
const BARS_MIN = 12;

// Hours in which nobody voted are missing in the answer, and are bars of no height.
function everyHour(hours) {
  const known = new Map(hours.map((each) => [Date.parse(each.hour), each.voters]));
  const first = Math.min(...known.keys());
  const count = Math.min(BARS_MAX, (Math.max(...known.keys()) - first) / HOUR_MS + 1);
  return Array.from({ length: count }, (_, k) => ({ at: first + k * HOUR_MS, voters: known.get(first + k * HOUR_MS) || 0 }));
}

function bars(all, most, title) {
  const wide = WIDTH / Math.max(all.length, BARS_MIN);
  const image = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "hours", role: "img", preserveAspectRatio: "none" });
  image.setAttribute("aria-label", title);
  all.forEach((each, place) => {
    const high = Math.round((each.voters / most) * (HEIGHT - 4));
    image.append(drawn("rect", { class: "hours__bar", x: (place * wide).toFixed(2), y: HEIGHT - high, width: Math.max(1, wide * 0.86).toFixed(2), height: high }));
  });
  return image;
}

function table(all, words, moment) {
  const cell = (tag, text, scope) => {
    const made = element(tag, tag === "td" ? "number" : "", text);
    if (scope) made.scope = scope;
    return made;
  };
  const rows = all.filter((each) => each.voters).map((each) => element("tr", "", cell("th", moment(each.at), "row"), cell("td", each.voters)));
  const head = element("thead", "", element("tr", "", cell("th", words.hour, "col"), cell("th", words.voters, "col")));
  const wrap = element("div", "table-wrap", element("table", "table table--dense", element("caption", "", words.caption), head, element("tbody", "", ...rows)));
  return element("details", "", element("summary", "", words.caption), wrap);
}

/** The figure for `turnout_by_hour`; an opened table stays open over refreshes. */
export function showHours(place, hours, words, timezone) {
  const key = JSON.stringify(hours);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (!hours.length) {
    place.replaceChildren(element("p", "muted", words.none));
    return;
  }
  const moment = clockOf(timezone);
  const all = everyHour(hours);
  const most = Math.max(...all.map((each) => each.voters), 1);
  const peak = all.find((each) => each.voters === most) || all[0];
  const voters = all.reduce((sum, each) => sum + each.voters, 0);
  const summary = filled(words.summary, { hours: all.length, voters, when: moment(peak.at), most });
  const ends = element("p", "hours__ends muted", element("span", "", moment(all[0].at)), element("span", "", moment(all[all.length - 1].at)));
  const open = Boolean(place.querySelector("details[open]"));
  const below = table(all, words, moment);
  below.open = open;
  place.replaceChildren(element("figure", "stack--tight", bars(all, most, summary), ends, element("figcaption", "", summary)), below);
}

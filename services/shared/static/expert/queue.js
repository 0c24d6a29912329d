// The expert's list: which sheets have changes on this device that the server does not have yet; and in a meeting, on to
// the project that its chair opens.
import { watch } from "../desk.js";
import { waiting } from "./kept.js";

const place = document.getElementById("unsaved");
for (const { round, candidate } of waiting(place.dataset.expert)) {
  const link = document.createElement("a");
  link.href = `/expert/rounds/${encodeURIComponent(round)}/candidates/${encodeURIComponent(candidate)}`;
  const row = document.querySelector(`td a[href="${link.getAttribute("href")}"]`);
  if (!row) continue;
  link.textContent = row.textContent;
  const item = document.createElement("li");
  item.append(link);
  place.querySelector("ul").append(item);
  place.hidden = false;
}

function follow(section) {
  const round = encodeURIComponent(section.dataset.turnOf);
  let step = -1;
  watch(`/api/scoring/v1/rounds/${round}/turn`, (turn) => {
    const before = step;
    step = turn.step;
    // Whoever opened the list by hand stays on it; only what changes from here on moves the page.
    if (before < 0 || !turn.present.includes(section.dataset.expert)) return;
    const sheet = `/expert/rounds/${round}/candidates/${encodeURIComponent(turn.candidate)}`;
    const isOwn = turn.state === "under_way" && section.querySelector(`td a[href="${sheet}"]`) !== null;
    if (isOwn) location.assign(sheet);
    else location.reload();
  });
}

for (const section of document.querySelectorAll("[data-turn-of]")) follow(section);

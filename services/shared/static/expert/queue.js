// The expert's list: which sheets have changes on this device that the server does not have yet.
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

// Parts of a page with data-follow="path of a state": the server draws them anew when that state changed. A part in which
// somebody types, has ticked something or has opened something waits, so that nothing is lost under the hand.
import { watch } from "./desk.js";

const parts = [...document.querySelectorAll("[data-follow]")];

function isBusy(part) {
  const here = part.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  return here || part.querySelector("details[open], input:checked:not([checked]), button[data-armed]") !== null;
}

async function redraw() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const now = fresh.getElementById(part.id);
    if (now && !isBusy(part) && now.innerHTML !== part.innerHTML) part.innerHTML = now.innerHTML;
  }
}

for (const path of new Set(parts.map((part) => part.dataset.follow))) {
  let first = true;
  watch(path, () => {
    // The page itself is as fresh as the first state.
    if (!first) redraw();
    first = false;
  });
}

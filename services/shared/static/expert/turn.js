// In a review meeting the tablet follows its chair: when another project is opened, what is written is stored and the
// page goes there. When others are waited for or all have marked, only the page's own notice changes.
import { watch } from "../desk.js";
import { form, page } from "./form.js";
import { save } from "./saving.js";

const known = page.turn;
const own = JSON.parse(page.own);

async function turned(turn) {
  const isPresent = turn.state === "under_way" && turn.present.includes(page.expert);
  if (turn.meeting === known.meeting && turn.step === known.step && turn.state === known.state) return;
  if (!isPresent && !known.is_present) return;
  if (form && "editable" in form.dataset) await save();
  // Two values wait for a choice: going on would choose in silence.
  if (!document.getElementById("conflict").hidden) return;
  if (isPresent && own.includes(turn.candidate) && turn.candidate !== page.candidate) {
    location.assign(page.here + encodeURIComponent(turn.candidate));
  } else location.assign(location.pathname);
}

export function followTurn() {
  watch(`/api/scoring/v1/rounds/${encodeURIComponent(page.round)}/turn`, turned);
}

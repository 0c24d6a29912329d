// The sheet's page put together: saving, keys, the application beside it, the switch on narrow screens, the meeting.
import { refused, Refused } from "../desk.js";
import { Application } from "./application.js";
import { check, doubts, form, markOf, missing, page, showCheck, status, tell } from "./form.js";
import { startKeys } from "./keys.js";
import { save, startSaving, submit } from "./saving.js";
import { followTurn } from "./turn.js";

function switchPanes() {
  const group = document.querySelector(".panes-switch");
  const panes = document.querySelector(".panes");
  group.hidden = false;
  for (const button of group.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      panes.dataset.showing = button.dataset.pane;
      for (const each of group.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
      window.scrollTo(0, group.offsetTop);
    });
  }
}

function heldBack() {
  const empty = missing();
  if (empty.length > 0) {
    tell("missing", empty.map((each) => each.title).join("、"));
    markOf(empty[0].id).focus();
    return true;
  }
  if (!check()) {
    tell("refused");
    form.querySelector("[aria-invalid=true]").focus();
    return true;
  }
  const { open } = doubts();
  showCheck(open.length > 0);
  if (open.length > 0) {
    tell("doubt");
    document.getElementById("check").focus();
  }
  return open.length > 0;
}

async function submitted(event) {
  event.preventDefault();
  if (heldBack() || !(await save())) return;
  tell("submitting");
  try {
    await submit(doubts().ticked);
    location.assign(`${location.pathname}?done=submitted`);
  } catch (error) {
    tell(error instanceof Refused ? "locked" : "offline");
    refused(form, error);
  }
}

async function start() {
  switchPanes();
  new Application(document.getElementById("application")).show();
  const next = document.getElementById("next-open");
  if (next) next.focus();
  if (form && status && "editable" in form.dataset) {
    form.addEventListener("submit", submitted);
    startKeys();
    if (await startSaving()) document.getElementById("restored").hidden = false;
    const first = missing()[0];
    if (first && !page.turn.is_chair && matchMedia("(hover: hover)").matches) markOf(first.id).focus({ preventScroll: true });
  }
  followTurn();
}

start();

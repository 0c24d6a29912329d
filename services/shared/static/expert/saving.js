// Saving a sheet: every change is kept on this device at once and stored a moment later, one save under way at a time.
// What was stored elsewhere meanwhile is merged; where both changed the same field, the expert chooses.
import { call, Refused } from "../desk.js";
import { settle } from "./conflict.js";
import { apply, check, content, page, tell } from "./form.js";
import { drop, keep, kept } from "./kept.js";
import { merge, same } from "./merge.js";

const PAUSE_MS = 700;
const RETRY_MS = 4000;
const path = `/api/scoring/v1/rounds/${encodeURIComponent(page.round)}/sheets/${encodeURIComponent(page.candidate)}`;
const own = [page.expert, page.round, page.candidate];
// What the server is known to have.
const stored = { version: page.version, content: page.stored };
let timer = 0;
let saving = null;
let stopped = false;

const isDirty = () => !same(content(), stored.content);
const clock = () => new Date().toTimeString().slice(0, 5);

/** After any change of the form: keep it, and store it when the expert pauses. */
export function changed() {
  if (stopped) return;
  keep(...own, { version: stored.version, base: stored.content, mine: content() });
  check();
  tell("unsaved");
  soon(PAUSE_MS);
}

function soon(wait) {
  clearTimeout(timer);
  timer = setTimeout(save, wait);
}

/** Store what is written; resolves to true when the server has everything. */
export async function save() {
  clearTimeout(timer);
  if (saving) await saving;
  if (stopped) return false;
  if (!isDirty()) {
    drop(...own);
    tell("saved", clock());
    return true;
  }
  if (!check()) {
    tell("refused");
    return false;
  }
  tell("saving");
  saving = send(content());
  const done = await saving;
  saving = null;
  if (!done) return false;
  if (isDirty()) return save();
  drop(...own);
  tell("saved", clock());
  return true;
}

async function send(written) {
  try {
    const answer = await call("PUT", path, { ...written, version: stored.version });
    stored.version = answer.version;
    stored.content = written;
    return true;
  } catch (error) {
    return error instanceof Refused ? refusedFor(error) : later("offline");
  }
}

function refusedFor(error) {
  if (error.reason === "sheet_changed") return changedElsewhere(error.problem.version, error.problem.sheet);
  if (error.status === 401) return later("signin");
  if (error.status >= 500 || error.status === 429) return later("offline");
  if (error.reason === "bad_marks") {
    check(error.problem.criterion);
    tell("refused");
    return false;
  }
  stopped = true;
  tell("locked", error.message);
  return false;
}

function later(word) {
  tell(word);
  soon(RETRY_MS);
  return false;
}

async function changedElsewhere(version, there) {
  if (there.state !== "draft") {
    stopped = true;
    tell("locked");
    return false;
  }
  const known = stored.content;
  stored.version = version;
  stored.content = { marks: there.marks, comments: there.comments, comment: there.comment };
  return merged(known);
}

async function merged(known) {
  const found = merge(known, content(), stored.content);
  apply(found.content);
  if (found.conflicts.length > 0) {
    stopped = true;
    tell("conflict");
    apply(await settle(found));
    stopped = false;
  }
  soon(0);
  return false;
}

/** Lock the sheet once everything is stored; raises Refused. */
export async function submit(acknowledged) {
  await call("POST", `${path}/submit`, { acknowledged });
  stopped = true;
  drop(...own);
}

/** Begin, with what an earlier visit could not store; resolves to true when there was something. */
export async function startSaving() {
  window.addEventListener("online", () => { if (isDirty()) save(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && isDirty()) save(); });
  const entry = kept(...own);
  if (!entry || same(entry.mine, stored.content)) {
    drop(...own);
    return false;
  }
  apply(entry.mine);
  if (entry.version === stored.version) soon(0);
  else merged(entry.base);
  return true;
}

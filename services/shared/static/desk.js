// Forms of people who work here, sent to the interfaces as JSON; what is refused is said beside the form and loses nothing.
//
//   <form data-call="POST /api/registry/v1/units/{unit}/decisions" data-then="reload">
//     data-call     method and path; {name} is taken from the field of that name, which then does not travel in the body
//     data-then     "reload" (default), "stay" (say that it is done), or a path; {key} is taken from the answer
//     data-twice    the button wants a second press (for what becomes public or cannot be taken back)
//   Fields: `name="a.b"` nests, `name="a.0.b"` makes a list; `data-type="number|boolean|list|json|moment|empty"` (moment: a datetime-local of this
//   device, sent with its offset; list: every
//   checked box or line; empty: an empty text stays a text, else an empty field is left out). enctype="multipart/form-data": sent as it is.
//   Other scripts import `call`, `refused`, `Refused`, and `watch(path, show, told)` for state that keeps itself fresh
//   (live.js). The token lives in memory and is renewed by the session cookie.
import { live } from "./live.js";
import { renewal, toSignIn } from "./session.js";

const words = document.getElementById("desk-words").dataset;
const texts = JSON.parse(words.texts);
const other = JSON.parse(words.other);
const RENEW_BEFORE_MS = 60000;
const ARMED_MS = 6000;
let token = "";
let expiresMs = 0;

export class Refused extends Error {
  constructor(status, problem) {
    super((texts[problem.reason] || other).join(" "));
    this.status = status;
    this.problem = problem;
    this.reason = problem.reason || "";
  }
}

async function renew() {
  const answer = await renewal();
  if (answer.status === 401) toSignIn();
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  const fresh = await answer.json();
  token = fresh.token;
  expiresMs = Date.parse(fresh.expires_at);
}

async function fresh() {
  if (Date.now() > expiresMs - RENEW_BEFORE_MS) await renew();
}

/** State that keeps itself fresh, as the person signed in may see it: `live` of live.js. */
export function watch(path, show, told) {
  return live(path, show, { before: fresh, get: () => call("GET", path), told });
}

/** The `Authorization` of the person signed in, for what `call` cannot do (an upload that tells its progress). */
export async function authorization() {
  await fresh();
  return `Bearer ${token}`;
}

/** One call as the person signed in; `body` is sent as JSON, or as it is where it is FormData. Raises Refused. */
export async function call(method, path, body, headers = {}) {
  await fresh();
  const sent = { authorization: `Bearer ${token}`, ...headers };
  const plain = body === undefined || body instanceof FormData;
  if (!plain) sent["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers: sent, body: plain ? body : JSON.stringify(body) });
  const text = await answer.text();
  let read = {};
  try { read = text ? JSON.parse(text) : {}; } catch (error) { read = {}; }
  if (!answer.ok) throw new Refused(answer.status, read);
  return read;
}

function valueOf(field) {
  const type = field.dataset.type || (field.type === "checkbox" ? "boolean" : "text");
  if (type === "boolean") return field.type === "checkbox" ? field.checked : field.value === "true";
  if (type === "number") return field.value.trim() === "" ? undefined : Number(field.value);
  if (type === "json") return field.value.trim() === "" ? undefined : JSON.parse(field.value);
  if (type === "moment") return field.value === "" ? undefined : new Date(field.value).toISOString();
  if (type === "empty") return field.value;
  return field.value === "" ? undefined : field.value;
}

function place(body, name, value) {
  const keys = name.split(".");
  const last = keys.pop();
  let inside = body;
  for (const key of keys) inside = inside[key] = inside[key] || {};
  inside[last] = value;
}

function placeList(body, field) {
  const before = field.name.split(".").reduce((inside, key) => (inside ? inside[key] : undefined), body) || [];
  const box = field.type === "checkbox";
  const more = box ? (field.checked ? [field.value] : []) : field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  place(body, field.name, before.concat(more));
}

/** What a form says, as the body of a call. */
export function bodyOf(form, leftOut = new Set()) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || leftOut.has(field.name)) continue;
    if (field.type === "radio" && !field.checked) continue;
    if (field.dataset.type === "list") placeList(body, field);
    else {
      const value = valueOf(field);
      if (value !== undefined) place(body, field.name, value);
    }
  }
  return listed(body);
}

// What was placed under numbers is a list of them, in their order.
function listed(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  for (const key of keys) value[key] = listed(value[key]);
  return keys.length && keys.every((key) => /^\d+$/.test(key)) ? Object.values(value) : value;
}

function problemPlace(form) {
  let found = form.querySelector("[data-problem]");
  if (!found) {
    found = document.createElement("div");
    found.dataset.problem = "";
    form.append(found);
  }
  found.className = "notice notice--stop";
  found.setAttribute("role", "alert");
  return found;
}

/** Say beside `form` why it was refused; the server's own sentence stands below in its language. */
export function refused(form, error) {
  const found = problemPlace(form);
  const paragraph = (text, className = "") => {
    const made = document.createElement("p");
    made.className = className;
    made.textContent = text;
    return made;
  };
  found.hidden = false;
  if (!(error instanceof Refused)) {
    found.replaceChildren(paragraph(words.unreachable, "notice__title"));
    return;
  }
  const [title, next] = texts[error.reason] || other;
  const detail = paragraph(error.problem.detail || "", "muted");
  detail.lang = "en";
  found.replaceChildren(paragraph(title, "notice__title"), paragraph(next), detail);
  found.scrollIntoView({ block: "nearest" });
}

/** Say in a sentence what is wrong, where refusals stand; nothing takes away what stands there. */
export function problem(form, text) {
  if (!text) {
    quiet(form);
    return;
  }
  const found = problemPlace(form);
  found.hidden = false;
  found.textContent = text;
}

function quiet(form) {
  const found = form.querySelector("[data-problem]");
  if (found) found.hidden = true;
}

function follow(form, answer) {
  const then = form.dataset.then || "reload";
  if (then === "reload") location.reload();
  else if (then === "stay") {
    const found = problemPlace(form);
    found.className = "notice notice--done";
    found.hidden = false;
    found.textContent = words.done;
  } else location.assign(then.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(answer[key])));
  form.dispatchEvent(new CustomEvent("done", { detail: answer, bubbles: true }));
}

async function send(form) {
  const [method, template] = form.dataset.call.split(" ");
  const used = new Set();
  const path = template.replace(/\{(\w+)\}/g, (_, name) => {
    used.add(name);
    return encodeURIComponent(form.elements[name].value);
  });
  const files = form.enctype === "multipart/form-data";
  follow(form, await call(method, path, files ? new FormData(form) : bodyOf(form, used)));
}

// The first press of a button that wants two says so and waits; nothing happens by a slip of the hand.
function armedNow(button) {
  if (button.dataset.armed) return true;
  const text = button.textContent;
  button.dataset.armed = "1";
  button.textContent = words.again;
  setTimeout(() => { delete button.dataset.armed; button.textContent = text; }, ARMED_MS);
  return false;
}

// A page may load this file twice, by its hashed name and as an import of another module: one of them listens.
const listens = !words.heard;
words.heard = "1";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!listens || !form.dataset.call) return;
  event.preventDefault();
  const button = event.submitter || form.querySelector("button[type=submit]");
  if ("twice" in form.dataset && !armedNow(button)) return;
  quiet(form);
  button.disabled = true;
  try {
    await send(form);
  } catch (error) {
    refused(form, error);
  } finally {
    button.disabled = false;
  }
});

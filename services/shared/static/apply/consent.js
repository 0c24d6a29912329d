// A partner's consent: the token is read from behind the #, which no server ever sees, and is sent in bodies only.

const CALLS = "/api/registry/v1/consents";
const token = location.hash.slice(1);
const element = (id) => document.getElementById(id);
const words = JSON.parse(element("refused").dataset.words);

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${CALLS}${path}`, { method: "POST", headers, body: JSON.stringify({ token, ...body }) });
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error("refused"), { reason: read.reason || "other" });
  return read;
}

const moment = (text) => new Date(text).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

function refuse(error) {
  const [title, next] = words[error.reason || "unreachable"] || words.other;
  const [first, second] = element("refused").children;
  first.textContent = title;
  second.textContent = next;
  element("refused").hidden = false;
  element("refused").scrollIntoView({ block: "nearest" });
}

function answered(answer, at) {
  element("asked").hidden = true;
  element("refused").hidden = true;
  element(answer).hidden = false;
  element(answer).querySelector("[data-when]").textContent = moment(at);
}

async function show() {
  const asked = await ask("", {});
  if (asked.answer) {
    answered(asked.answer, asked.answered_at);
    return;
  }
  for (const place of document.querySelectorAll("[data-fact]")) {
    const value = asked[place.dataset.fact];
    place.textContent = place.dataset.fact === "expires_at" ? moment(value) : value;
  }
  element("asked").hidden = false;
}

// Nobody consents by the Enter key, and old browsers do not say which button sent a form: each button is asked itself.
async function send(agree) {
  const form = element("answer");
  if (!form.reportValidity()) return;
  const buttons = [...form.querySelectorAll("button")];
  for (const each of buttons) each.disabled = true;
  try {
    const body = { agree, name: element("name").value, position: element("position").value };
    const done = await ask("/answers", body);
    answered(done.answer, done.answered_at);
  } catch (error) {
    refuse(error);
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

element("agree").addEventListener("click", () => send(true));
element("decline").addEventListener("click", () => send(false));
element("answer").addEventListener("submit", (event) => event.preventDefault());

show().catch(refuse);

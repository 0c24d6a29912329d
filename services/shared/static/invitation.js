// Accepting an invitation: the token is read from behind the #, which no server ever sees, and is sent in bodies only.

const CALLS = "/api/registry/v1/staff/invitations";
const token = location.hash.slice(1);
const element = (id) => document.getElementById(id);

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  return fetch(`${CALLS}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function show() {
  const answer = await ask("look", { token });
  if (!answer.ok) {
    element("gone").hidden = false;
    return;
  }
  const invitation = await answer.json();
  element("invited").textContent = invitation.name || invitation.username;
  element("username").value = invitation.username;
  element("username").readOnly = Boolean(invitation.username);
  element("accept").hidden = false;
}

element("accept").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { token, username: element("username").value, password: element("password").value };
  const answer = await ask("accept", body);
  if (answer.ok) {
    location.replace("/sign-in");
    return;
  }
  const words = JSON.parse(element("refused").dataset.words);
  const problem = await answer.json().catch(() => ({}));
  element("refused").textContent = words[problem.reason] || words.other;
  element("refused").hidden = false;
});

show();

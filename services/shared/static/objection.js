// The form of an objection: solves the proof of work in the background when it is sent, then sends it as any form.

import { solve } from "./vote/challenge.js";

const form = document.getElementById("objection");
const status = document.getElementById("objection-status");

async function work() {
  const answer = await fetch(form.dataset.challenge, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error("refused");
  return solve(await answer.json(), form.dataset.worker);
}

form.addEventListener("submit", async (event) => {
  if (form.elements.altcha.value) return;
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  status.textContent = status.dataset.working;
  try {
    form.elements.altcha.value = await work();
    form.submit();
  } catch (error) {
    status.textContent = form.dataset.failed;
    button.disabled = false;
  }
});

// A page that comes back from the browser's memory holds a solution that was used.
window.addEventListener("pageshow", () => {
  form.elements.altcha.value = "";
  form.querySelector("button[type=submit]").disabled = false;
  status.textContent = "";
});

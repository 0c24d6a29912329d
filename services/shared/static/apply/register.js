// A unit registers itself: the credit code is judged while it is typed; a busy address solves a proof of work first.

import { Refused, bodyOf, refused } from "../desk.js";
import { solve } from "../vote/challenge.js";
import { bindCreditCodes, judged } from "./credit_code.js";

const form = document.getElementById("register");
const words = JSON.parse(form.dataset.words);
const status = document.getElementById("register-status");

function sayCode(field, verdict) {
  const said = document.getElementById("credit_code-said");
  said.textContent = verdict.text;
  said.classList.toggle("is-over", Boolean(verdict.wrong));
  field.setCustomValidity(verdict.good || !field.value ? "" : judged(field.value, words).text);
}

async function post(body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(form.dataset.path, { method: "POST", headers, body: JSON.stringify(body) });
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, read);
  return read;
}

async function register() {
  const body = bodyOf(form);
  try {
    return await post(body);
  } catch (error) {
    if (!(error instanceof Refused) || !error.problem.challenge) throw error;
    status.textContent = words.working;
    return post({ ...body, altcha: await solve(error.problem.challenge, form.dataset.worker) });
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    await register();
    const done = document.getElementById("registered");
    done.querySelector("[data-channel]").textContent = form.elements.channel.selectedOptions[0].textContent;
    form.hidden = true;
    done.hidden = false;
    done.focus();
  } catch (error) {
    refused(form, error);
  } finally {
    button.disabled = false;
    status.textContent = "";
  }
});

bindCreditCodes(form, words, sayCode);

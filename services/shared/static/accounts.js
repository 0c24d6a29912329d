// Pages of accounts: what is told once (a link, a first password) is shown beside its form, and a second factor is enrolled
// without its secret ever standing in an address.

import { call, refused } from "./desk.js";

const $ = (id) => document.getElementById(id);

// The place to show it stands right before the form.
document.addEventListener("done", (event) => {
  const { shows } = event.target.dataset;
  if (!shows) return;
  const shown = event.target.parentElement.querySelector("[data-once]");
  const field = shown.querySelector("input");
  shown.hidden = false;
  field.value = event.detail[shows];
  event.target.reset();
  field.focus();
  field.select();
  shown.scrollIntoView({ block: "nearest" });
});

document.addEventListener("click", async (event) => {
  const button = event.target;
  if (!("copied" in button.dataset)) return;
  const field = button.parentElement.querySelector("input");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch (error) {
    // Without permission, or without TLS, the browser's own copy of what is selected does it.
    document.execCommand("copy");
  }
  button.textContent = button.dataset.copied;
});

async function step(form, work) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    await work();
    const problem = form.querySelector("[data-problem]");
    if (problem) problem.hidden = true;
  } catch (error) {
    refused(form, error);
  } finally {
    button.disabled = false;
  }
}

async function start() {
  const body = { username: $("enrol-start").dataset.username, password: $("enrol-password").value };
  if ($("enrol-old")) body.totp = $("enrol-old").value;
  const { secret, qr } = await call("POST", "/api/registry/v1/sessions/totp", body);
  $("enrol-qr").src = URL.createObjectURL(new Blob([qr], { type: "image/svg+xml" }));
  $("enrol-secret").textContent = secret.replace(/(.{4})/g, "$1 ").trim();
  $("enrol-start").reset();
  $("enrol-start").hidden = true;
  $("enrol-confirm").hidden = false;
  $("enrol-code").focus();
}

async function confirm() {
  const { recovery_codes: codes } = await call("POST", "/api/registry/v1/staff/me/totp", { totp: $("enrol-code").value.trim() });
  URL.revokeObjectURL($("enrol-qr").src);
  $("enrol-secret").textContent = "";
  $("enrol-confirm").hidden = true;
  $("enrol-codes").replaceChildren(...codes.map((code) => {
    const item = document.createElement("li");
    item.className = "code";
    item.textContent = code;
    return item;
  }));
  $("enrol-done").hidden = false;
}

for (const [id, work] of [["enrol-start", start], ["enrol-confirm", confirm]]) {
  if (!$(id)) continue;
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    step($(id), work);
  });
}
if ($("enrol-print")) $("enrol-print").addEventListener("click", () => window.print());

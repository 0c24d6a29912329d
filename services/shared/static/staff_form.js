// Plain forms of staff: the sign-in is renewed by the session cookie while the page is open and once more before a form
// is sent, so that what was typed for longer than a token lives is not lost. Without this script the form sends itself.

import { renewal } from "./session.js";

const RENEW_EVERY_MS = 4 * 60 * 1000;

async function renew() {
  try {
    await renewal();
  } catch (error) {
    // The form's own answer tells what is wrong.
  }
}

for (const form of document.querySelectorAll("form[data-keep]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    await renew();
    form.submit();
  });
}
// A page that the browser kept for its back button has its buttons again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-keep] button")) button.disabled = false;
});
setInterval(renew, RENEW_EVERY_MS);

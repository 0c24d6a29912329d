// On a page that could not be answered yet: looks whether it can now, each phone at its own time, and reloads.

const LEAST_MS = 4000;
const SPAN_MS = 8000;

async function look() {
  const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" }).catch(() => null);
  if (answer && answer.status < 500) location.reload();
  else later();
}

function later() {
  setTimeout(look, LEAST_MS + Math.random() * SPAN_MS);
}

later();

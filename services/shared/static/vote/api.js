// Calls to the voting service. A refusal is a value with a reason; only a lost connection throws, as `Lost`.

const PATIENCE_MS = 15000;

export class Lost extends Error {}

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// The same, but over as soon as the phone is connected again.
export function pauseUntilOnline(milliseconds) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    window.addEventListener("online", end);
  });
}

// {ok, status, body}; `body` of a refusal is its problem document.
export async function call(method, path, body, token) {
  const headers = { accept: "application/json" };
  if (body) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(`/api/voting/v1${path}`, {
      method, headers, body: body ? JSON.stringify(body) : undefined, credentials: "same-origin", signal: controller.signal,
    });
    const document = await answer.json().catch(() => ({}));
    return { ok: answer.ok, status: answer.status, body: document };
  } catch (error) {
    throw new Lost(String(error));
  } finally {
    clearTimeout(timer);
  }
}

// How long to wait before try number `attempt`: grows to half a minute, never the same for two phones.
export function backoffMs(attempt, retryAfterS) {
  const least = (retryAfterS || 0) * 1000;
  const span = Math.min(30000, 1000 * 2 ** Math.min(attempt, 5));
  return Math.round(least + span * (0.5 + Math.random() / 2));
}

// The sign-in of people who work here, renewed by the session cookie, which no script can read.

/** The answer to a renewal: 200 with {token, expires_at}, 401 where the session has ended. */
export function renewal() {
  return fetch("/api/registry/v1/sessions/renew", { method: "POST", credentials: "same-origin" });
}

/** To the form, and from there back to this page. */
export function toSignIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

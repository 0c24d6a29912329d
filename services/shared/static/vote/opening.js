// A page left open before the start opens by itself, each phone a little later than the last, so that not all ask at once.

const LATEST_MS = 24 * 3600 * 1000;

// `phase` and `opens` as the page's data has them.
export function reloadAtOpening({ phase, opens }) {
  const wait = Date.parse(opens) - Date.now();
  if (phase === "scheduled" && wait < LATEST_MS) {
    setTimeout(() => location.reload(), Math.max(wait, 0) + 1000 + Math.random() * 9000);
  }
}

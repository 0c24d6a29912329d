// What this device keeps of a sheet until the server has it: what was written, and what it was based on.
// One entry a sheet and expert, gone as soon as it is stored; a private window without storage keeps nothing.

const PREFIX = "px.sheet";

const keyOf = (...parts) => [PREFIX, ...parts.map(encodeURIComponent)].join(" ");

export function keep(expert, round, candidate, entry) {
  try {
    localStorage.setItem(keyOf(expert, round, candidate), JSON.stringify(entry));
    return true;
  } catch (error) {
    return false;
  }
}

export function kept(expert, round, candidate) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(expert, round, candidate)));
  } catch (error) {
    return null;
  }
}

export function drop(expert, round, candidate) {
  try { localStorage.removeItem(keyOf(expert, round, candidate)); } catch (error) { /* nothing was kept */ }
}

/** [{ round, candidate }] of every sheet of this expert that waits here. */
export function waiting(expert) {
  let keys = [];
  try { keys = Object.keys(localStorage); } catch (error) { return []; }
  const own = `${keyOf(expert)} `;
  return keys.filter((key) => key.startsWith(own)).map((key) => {
    const [round, candidate] = key.slice(own.length).split(" ").map(decodeURIComponent);
    return { round, candidate };
  });
}

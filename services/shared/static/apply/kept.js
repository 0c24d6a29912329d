// What was typed and is not stored yet, kept in the browser until it is: nothing is lost by a dead network or a closed tab.
//
// One entry a field of the form: {base, value}, `base` being what was stored when the typing began. Private mode and full
// disks refuse: `keep` then says so, and the page asks to be left open.

const PREFIX = "px-apply:";

function key(application, name) {
  return `${PREFIX}${application}:${name}`;
}

/** Keep what was typed; whether the browser did. */
export function keep(application, name, entry) {
  try {
    localStorage.setItem(key(application, name), JSON.stringify(entry));
    return true;
  } catch (error) {
    return false;
  }
}

export function forget(application, name) {
  try {
    localStorage.removeItem(key(application, name));
  } catch (error) {
    // What cannot be written was never kept.
  }
}

/** Every entry of an application: [[name, {base, value}], …]. */
export function kept(application) {
  const found = [];
  try {
    for (let place = 0; place < localStorage.length; place += 1) {
      const stored = localStorage.key(place);
      if (stored.startsWith(key(application, ""))) {
        found.push([stored.slice(key(application, "").length), JSON.parse(localStorage.getItem(stored))]);
      }
    }
  } catch (error) {
    return [];
  }
  return found;
}

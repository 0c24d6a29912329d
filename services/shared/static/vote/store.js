// What the phone remembers between pages: the choices, one of the 64 orders, the ballot under way and the sign-in.
// Never a phone number or a code; the token lives only as long as the tab. A browser without storage works with memory.

const memory = {};

function area(kind) {
  try {
    return kind === "session" ? window.sessionStorage : window.localStorage;
  } catch (error) {
    return null;
  }
}

function read(kind, key) {
  try {
    const text = area(kind).getItem(key);
    return text === null ? null : JSON.parse(text);
  } catch (error) {
    return key in memory ? memory[key] : null;
  }
}

function write(kind, key, value) {
  memory[key] = value;
  try {
    if (value === null) area(kind).removeItem(key);
    else area(kind).setItem(key, JSON.stringify(value));
  } catch (error) {
    // Private mode or full storage: memory serves until the page is left.
  }
}

export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// The device's own order, 0 … 63: the one the server drew at the first visit, kept here and in a cookie, so that the
// page comes in it. Where the cookie alone was lost the page was drawn in another one; what is kept here goes on.
export function deviceOrder(drawn) {
  let order = read("local", "px.order");
  if (!Number.isInteger(order) || order < 0 || order > 63) {
    order = drawn;
    write("local", "px.order", order);
  }
  if (order !== drawn) document.cookie = `order=${order}; path=/; max-age=31536000; samesite=lax`;
  return order;
}

// A sign-in that has led away from this tab: which way, which round, what was declared; see `ways.js`.
export const way = {
  get kept() {
    return read("session", "px.way");
  },

  set kept(value) {
    write("session", "px.way", value);
  },
};

export class RoundStore {
  constructor(round) {
    this.round = round;
  }

  key(what) {
    return `px.${what}.${this.round}`;
  }

  get choices() {
    const kept = read("local", this.key("choices"));
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
  }

  set choices(candidates) {
    write("local", this.key("choices"), candidates.length ? candidates : null);
  }

  // The ballot to send: its id is made once for these choices and kept until a receipt is there.
  ballot(choices) {
    const sorted = [...choices].sort();
    const kept = read("local", this.key("ballot"));
    if (kept && JSON.stringify(kept.choices) === JSON.stringify(sorted)) return kept;
    const fresh = { ballot_id: uuid(), choices: sorted };
    write("local", this.key("ballot"), fresh);
    return fresh;
  }

  // Whether the ballot was sent and no answer has come yet: nobody knows whether it is recorded, so it is sent again.
  get underway() {
    return read("local", this.key("underway")) === true;
  }

  set underway(value) {
    write("local", this.key("underway"), value || null);
  }

  // The code that was asked for last: not the number, not the code. WeChat may reload the page while people read it.
  get codeRequest() {
    const kept = read("session", this.key("code"));
    return kept && kept.until > Date.now() ? kept.request : null;
  }

  keepCodeRequest(request, lifetimeS) {
    write("session", this.key("code"), request ? { request, until: Date.now() + lifetimeS * 1000 } : null);
  }

  get session() {
    const kept = read("session", this.key("session"));
    return kept && Date.parse(kept.expires_at) > Date.now() ? kept : null;
  }

  set session(value) {
    write("session", this.key("session"), value);
  }

  // Somebody comes back signed in: the ballot that was reviewed before goes on by itself, once.
  resume() {
    write("session", this.key("resume"), true);
  }

  takeResume() {
    const wanted = read("session", this.key("resume")) === true;
    write("session", this.key("resume"), null);
    return wanted && this.session !== null;
  }

  get receipt() {
    return read("session", this.key("receipt"));
  }

  // A recorded ballot leaves no trace of its choices on the phone.
  finish(receipt) {
    this.choices = [];
    this.underway = false;
    this.keepCodeRequest(null);
    write("local", this.key("ballot"), null);
    write("session", this.key("receipt"), receipt);
  }

  // The next person on a shared phone starts with nothing.
  forget() {
    this.finish(null);
    this.session = null;
    this.takeResume();
    way.kept = null;
  }
}

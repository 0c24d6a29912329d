// State that stays fresh by itself: a stream of the server's, or asking again where there is none.
//
//   live(path, show, { get, before, told })
//     show(state)   is called with each new state, never twice with the same
//     get()         asks once for the state where there is no stream; default: a plain GET of the path
//     before()      awaited before a stream opens or the state is asked for (staff renew their token here)
//     told(word)    "fresh", "stale" (the server cannot read it at the moment) or "away" (nobody answers)
//   The answer has `now()`, the server's time in milliseconds, and `stop()`.
// A hidden page holds no stream: a browser has six connections for all of its pages. Nothing is kept but the last state.

const QUIET_MS = 45000;
const ASK_MS = 5000;
const ASK_MAX_MS = 60000;
const STREAM_AGAIN_MS = 2000;
const STREAM_AGAIN_MAX_MS = 60000;

// Between half and one and a half of it, so that a thousand pages do not come back at the same moment.
const jitter = (milliseconds) => Math.round(milliseconds * (0.5 + Math.random()));

async function plainGet(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, credentials: "same-origin" });
  if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status });
  return answer.json();
}

class Watch {
  constructor(path, show, { get = () => plainGet(path), before = async () => {}, told = () => {} } = {}) {
    Object.assign(this, { path, show, get, before, told });
    this.last = "";
    this.word = "";
    this.aheadMs = 0;
    this.failures = 0;
    this.breaks = 0;
    this.noStreamUntil = 0;
    this.source = null;
    this.timer = 0;
    this.stopped = false;
    document.addEventListener("visibilitychange", () => this.seen());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.seen());
    this.seen();
  }

  now() {
    return Date.now() + this.aheadMs;
  }

  stop() {
    this.stopped = true;
    this.close();
  }

  close() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  }

  seen() {
    this.close();
    if (!this.stopped && document.visibilityState === "visible") this.open();
  }

  later(milliseconds) {
    this.close();
    if (!this.stopped && document.visibilityState === "visible") this.timer = setTimeout(() => this.open(), milliseconds);
  }

  tell(word) {
    if (word !== this.word) this.told(word);
    this.word = word;
  }

  take(text) {
    if (text === this.last) return;
    this.last = text;
    this.show(JSON.parse(text));
  }

  async open() {
    try {
      await this.before();
    } catch (error) {
      this.failed();
      return;
    }
    if (this.stopped || this.source || document.visibilityState !== "visible") return;
    if (!window.EventSource || Date.now() < this.noStreamUntil) this.ask();
    else this.stream();
  }

  stream() {
    const source = this.source = new EventSource(this.path);
    const mine = (act) => (event) => { if (this.source === source) act(event); };
    const alive = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.broken(), QUIET_MS);
    };
    alive();
    source.onmessage = mine((event) => {
      alive();
      this.failures = this.breaks = 0;
      this.take(event.data);
      if (this.word !== "stale") this.tell("fresh");
    });
    source.addEventListener("beat", mine((event) => {
      alive();
      this.aheadMs = Number(event.data) - Date.now();
    }));
    source.addEventListener("stale", mine((event) => this.tell(event.data === "1" ? "stale" : "fresh")));
    source.addEventListener("end", mine((event) => {
      if (event.data === "full") this.broken();
      else this.later(jitter(event.data === "token" ? 200 : 1500));
    }));
    source.onerror = mine(() => this.broken());
  }

  // The stream was refused or broke: ask now, so that the page is right, and try the stream again later.
  broken() {
    this.close();
    this.noStreamUntil = Date.now() + jitter(Math.min(STREAM_AGAIN_MAX_MS, STREAM_AGAIN_MS * 2 ** this.breaks));
    this.breaks += 1;
    this.later(jitter(1000));
  }

  async ask() {
    try {
      const state = await this.get();
      this.failures = 0;
      this.take(JSON.stringify(state));
      this.tell("fresh");
      this.later(jitter(ASK_MS));
    } catch (error) {
      this.failed();
    }
  }

  failed() {
    this.failures += 1;
    if (this.failures > 1) this.tell("away");
    this.later(jitter(Math.min(ASK_MAX_MS, ASK_MS * 2 ** Math.min(this.failures - 1, 4))));
  }
}

export function live(path, show, options) {
  return new Watch(path, show, options);
}

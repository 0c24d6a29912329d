// Stores what changed, a moment after the last key, and again until it is stored. Knows no page: it is told what was typed
// and tells `page` how it stands: show(state, detail), adopt(name, value), dispute(name, theirs, mine, at), problems(list).
//
// Invariant: a value leaves `changes` and the browser's storage only when the server has it. Where somebody else stored
// something meanwhile (409), fields that only one side changed are merged; one that both changed waits for a person.

import { call, Refused } from "../desk.js";
import { same, valueIn, withValue } from "./content.js";
import { forget, keep, kept } from "./kept.js";

const WAIT_MS = 700;
const RETRY_FIRST_MS = 2000;
const RETRY_MAX_MS = 30000;
const API = "/api/registry/v1/applications";

export class Saver {
  constructor(application, version, content, page) {
    Object.assign(this, { application, version, content, page });
    this.changes = new Map();
    this.disputed = new Set();
    this.held = new Set();
    this.keeps = true;
    this.retryMs = RETRY_FIRST_MS;
    this.timer = 0;
    this.running = null;
    this.stopped = false;
  }

  /** Take up what an earlier visit typed and could not store. */
  restore() {
    for (const [name, entry] of kept(this.application)) {
      const stored = valueIn(this.content, name);
      if (same(stored, entry.value)) forget(this.application, name);
      else {
        this.changes.set(name, entry.value);
        if (same(stored, entry.base)) this.page.adopt(name, entry.value);
        else this.dispute(name, stored, entry.value, "");
      }
    }
    if (this.changes.size) this.flush();
  }

  change(name, value) {
    this.held.delete(name);
    this.changes.set(name, value);
    this.keeps = keep(this.application, name, { base: valueIn(this.content, name), value }) && this.keeps;
    this.page.show("saving");
    this.later(WAIT_MS);
  }

  /** Not to be sent as it stands; it stays on the page and in the browser. */
  hold(name) {
    this.held.add(name);
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), ms);
  }

  ready() {
    return [...this.changes.keys()].filter((name) => !this.held.has(name) && !this.disputed.has(name));
  }

  /** Store everything that can be; whether nothing is left. */
  async flush() {
    clearTimeout(this.timer);
    if (!this.running) {
      this.running = this.run().finally(() => { this.running = null; });
    }
    await this.running;
    return this.changes.size === 0;
  }

  async run() {
    try {
      for (let names = this.ready(); names.length && !this.stopped; names = this.ready()) {
        this.page.show("saving");
        await this.store(names);
      }
    } catch (error) {
      this.failed(error);
      return;
    }
    if (this.disputed.size) this.page.show("disputed");
    else if (this.held.size) this.page.show("held");
  }

  async store(names) {
    const sent = names.map((name) => [name, this.changes.get(name)]);
    let body = {};
    for (const [name, value] of sent) body = withValue(body, name, value);
    try {
      const answer = await call("PUT", `${API}/${this.application}`, { version: this.version, content: body });
      this.stored(sent, answer);
    } catch (error) {
      if (error instanceof Refused && error.reason === "stale_version") await this.rebase();
      else if (error instanceof Refused && error.reason === "bad_application") this.wrong(sent, error.problem.problems || []);
      else throw error;
    }
  }

  stored(sent, answer) {
    this.version = answer.version;
    this.retryMs = RETRY_FIRST_MS;
    for (const [name, value] of sent) {
      this.content = withValue(this.content, name, value);
      if (same(this.changes.get(name), value)) {
        this.changes.delete(name);
        forget(this.application, name);
      }
    }
    if (!this.changes.size) this.page.show("saved", answer.changed_at);
  }

  wrong(sent, problems) {
    const fields = problems.map((each) => each.field);
    const named = sent.filter(([name]) => fields.some((field) => field === name || field.startsWith(`${name}[`)));
    for (const [name] of named.length ? named : sent) this.held.add(name);
    this.page.problems(problems);
  }

  // Somebody stored something since this page was read (a colleague, a second tab, a file that was attached).
  async rebase() {
    const fresh = await call("GET", `${API}/${this.application}`);
    for (const name of this.page.names()) {
      const before = valueIn(this.content, name);
      const theirs = valueIn(fresh.content, name);
      if (!this.changes.has(name) && !same(before, theirs)) this.page.adopt(name, theirs);
    }
    for (const [name, mine] of this.changes) {
      const before = valueIn(this.content, name);
      const theirs = valueIn(fresh.content, name);
      if (same(theirs, mine)) this.changes.delete(name);
      else if (!same(theirs, before)) this.dispute(name, theirs, mine, fresh.changed_at);
    }
    this.version = fresh.version;
    this.content = fresh.content;
    if (!this.changes.size) this.page.show("saved", fresh.changed_at);
  }

  dispute(name, theirs, mine, at) {
    this.disputed.add(name);
    this.page.dispute(name, theirs, mine, at);
  }

  /** A person chose between what was stored and what was typed. */
  settle(name, useMine) {
    this.disputed.delete(name);
    if (!useMine) {
      const theirs = valueIn(this.content, name);
      this.changes.delete(name);
      forget(this.application, name);
      this.page.adopt(name, theirs);
    } else if (this.changes.has(name)) this.change(name, this.changes.get(name));
    if (!this.changes.size) this.page.show("saved", "");
    this.later(0);
  }

  failed(error) {
    const away = !(error instanceof Refused) || error.status >= 500 || error.status === 429;
    if (!away) {
      this.stopped = true;
      this.page.show("refused", error.message);
      return;
    }
    this.page.show(this.keeps ? (error instanceof Refused ? "unreachable" : "offline") : "unkept");
    this.later(this.retryMs * (0.75 + Math.random() / 2));
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
  }
}

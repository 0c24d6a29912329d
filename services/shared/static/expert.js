// The expert's pages: saves every change, renews the sign-in silently, shows the full application beside the sheet.
// Without this script the same page is a plain form. One save is under way at a time, so that versions come in order.

const PAUSE_MS = 700;
const RETRY_MS = 4000;
const RENEW_EVERY_MS = 4 * 60 * 1000;

async function renew() {
  try {
    const answer = await fetch("/api/registry/v1/sessions/renew", { method: "POST", credentials: "same-origin" });
    return answer.ok;
  } catch (error) {
    return false;
  }
}
setInterval(renew, RENEW_EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) renew();
});

class Autosave {
  constructor(form) {
    this.form = form;
    this.status = document.getElementById("status");
    this.dirty = false;
    this.saving = false;
    this.stopped = false;
    this.timer = 0;
    this.sent = JSON.stringify(this.content());
    form.addEventListener("input", () => this.changed());
    form.addEventListener("submit", (event) => this.submitted(event));
    window.addEventListener("online", () => this.save());
    window.addEventListener("beforeunload", (event) => {
      if (this.dirty && !this.leaving) event.preventDefault();
    });
  }

  content() {
    const marks = {};
    for (const input of this.form.querySelectorAll("input[name^='mark.']")) {
      if (input.value.trim()) marks[input.name.slice(5)] = input.value.trim();
    }
    return { marks, comment: this.form.elements.comment.value };
  }

  tell(word, more) {
    this.status.textContent = this.form.dataset[word] + (more ? ` ${more}` : "");
    this.status.dataset.state = word;
  }

  changed() {
    if (this.stopped) return;
    this.dirty = true;
    this.tell("unsaved");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), PAUSE_MS);
  }

  async save() {
    if (this.saving || this.stopped || !this.dirty) return;
    const content = this.content();
    const text = JSON.stringify(content);
    this.saving = true;
    this.tell("saving");
    const done = await this.send(content);
    this.saving = false;
    if (done) this.sent = text;
    this.dirty = JSON.stringify(this.content()) !== this.sent;
    if (done && !this.dirty) this.tell("saved", new Date().toTimeString().slice(0, 5));
    if (done && this.dirty) this.changed();
  }

  // True when the server has the content. Everything else says on the page what to do about it.
  async send(content) {
    const version = Number(this.form.elements.version.value);
    let answer;
    try {
      answer = await this.put({ ...content, version });
      if (answer.status === 401 && (await renew())) answer = await this.put({ ...content, version });
    } catch (error) {
      return this.later("offline");
    }
    if (answer.ok) {
      this.mark("");
      this.form.elements.version.value = (await answer.json()).version;
      return true;
    }
    const problem = await answer.json().catch(() => ({}));
    if (answer.status === 422) {
      this.mark(problem.criterion);
      this.tell("refused");
      return false;
    }
    if (answer.status === 401) return this.later("signin");
    if (answer.status >= 500) return this.later("offline");
    this.stopped = true;
    this.tell(problem.reason === "sheet_changed" ? "conflict" : "refused");
    return false;
  }

  put(content) {
    return fetch(this.form.dataset.autosave, {
      method: "PUT",
      credentials: "same-origin",
      headers: { "content-type": "application/json", "x-csrftoken": this.form.elements._csrf_token.value },
      body: JSON.stringify(content),
    });
  }

  later(word) {
    this.tell(word);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), RETRY_MS);
    return false;
  }

  mark(criterion) {
    for (const field of this.form.querySelectorAll(".field")) {
      const input = field.querySelector("input[name^='mark.']");
      const wrong = input !== null && Boolean(criterion) && input.name === `mark.${criterion}`;
      field.classList.toggle("field--invalid", wrong);
      if (input !== null) input.setAttribute("aria-invalid", String(wrong));
    }
  }

  // A sheet with a missing mark is not sent: the first empty field is shown instead.
  submitted(event) {
    const asked = event.submitter || document.activeElement;
    if (asked && asked.value === "submit") {
      const empty = [...this.form.querySelectorAll("input[name^='mark.']")].filter((input) => !input.value.trim());
      if (empty.length > 0) {
        event.preventDefault();
        this.tell("missing", empty.map((input) => input.dataset.title).join("、"));
        empty[0].focus();
        return;
      }
    }
    clearTimeout(this.timer);
    // A save under way would make the form's version an old one: let it end, then send the form as it was asked for.
    if (this.saving) {
      event.preventDefault();
      setTimeout(() => this.form.requestSubmit(asked), 100);
      return;
    }
    this.leaving = true;
  }
}

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Any application, whatever its sections: texts as paragraphs, lists of things as tables, everything as text only.
class Application {
  constructor(place) {
    this.place = place;
    this.labels = JSON.parse(place.dataset.labels);
  }

  async show() {
    let answer;
    try {
      answer = await fetch(this.place.dataset.url, { credentials: "same-origin" });
      if (answer.status === 401 && (await renew())) answer = await fetch(this.place.dataset.url);
      if (!answer.ok) return;
      const found = await answer.json();
      const application = found.application || found;
      const sections = application.sections || {};
      const known = Object.keys(this.labels).filter((name) => name in sections);
      const others = Object.keys(sections).filter((name) => !(name in this.labels));
      for (const name of [...known, ...others]) this.part(name, sections[name]);
      for (const name of ["lead", "partners", "team", "budget", "targets"]) this.part(name, application[name]);
      this.place.hidden = this.place.children.length < 2;
    } catch (error) {
      this.place.hidden = true;
    }
  }

  label(name) {
    return this.labels[name] || name;
  }

  part(name, value) {
    if (!value || (Array.isArray(value) && value.length === 0)) return;
    this.place.append(element("h3", this.label(name)));
    if (Array.isArray(value) && typeof value[0] === "object") this.place.append(this.table(value));
    else if (typeof value === "object" && !Array.isArray(value)) this.place.append(this.table([value]));
    else for (const paragraph of String(value).trim().split(/\n+/)) this.place.append(element("p", paragraph));
  }

  cell(name, value) {
    if (value === undefined || value === null) return "";
    return name === "kind" ? this.label(String(value)) : String(value);
  }

  table(rows) {
    const there = new Set(rows.flatMap((row) => Object.keys(row)));
    const names = [...new Set([...Object.keys(this.labels), ...there])].filter((name) => there.has(name));
    const table = element("table");
    table.className = "table table--dense";
    const head = element("tr");
    for (const name of names) {
      const cell = element("th", this.label(name));
      cell.scope = "col";
      head.append(cell);
    }
    table.append(head);
    for (const row of rows) {
      const line = element("tr");
      for (const name of names) line.append(element("td", this.cell(name, row[name])));
      table.append(line);
    }
    const wrap = element("div");
    wrap.className = "table-wrap";
    wrap.append(table);
    return wrap;
  }
}

const form = document.querySelector("form[data-autosave]");
if (form) new Autosave(form);
const place = document.getElementById("application");
if (place) new Application(place).show();

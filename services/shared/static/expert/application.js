// The full application beside the sheet, whatever its sections: texts as paragraphs, lists of things as tables,
// everything as text only. Where it cannot be read, the summary that the page already shows must do.
import { call } from "../desk.js";

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

export class Application {
  constructor(place) {
    this.place = place;
    this.labels = JSON.parse(place.dataset.labels);
  }

  async show() {
    try {
      const found = await call("GET", this.place.dataset.url);
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

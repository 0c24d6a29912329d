// Changes of a list: rows of a form, asked of the server who would move, then proposed; a second administrator confirms.
import { call, refused } from "../desk.js";
import { element } from "./build.js";

const form = document.getElementById("change-form");
if (form) begin();

function begin() {
  const words = JSON.parse(form.dataset.words);
  const reasons = JSON.parse(form.dataset.reasons);
  const rows = document.getElementById("change-rows");
  const send = document.getElementById("change-send");
  const look = document.getElementById("change-look");
  const shown = document.getElementById("change-preview");
  const api = `/api/registry/v1/rounds/${encodeURIComponent(form.dataset.round)}/lists`;
  const first = rows.firstElementChild.cloneNode(true);

  // Only the reasons that fit the kind of change can be chosen; a level is asked for where it changes.
  function fit(row) {
    const kind = row.querySelector("[data-key=kind]").value;
    const reason = row.querySelector("[data-key=reason]");
    for (const option of reason.options) option.hidden = option.disabled = !reasons[kind].includes(option.value);
    if (reason.selectedOptions[0].disabled) reason.value = reasons[kind][0];
    const level = row.querySelector("[data-key=level]");
    level.required = kind === "change_level";
    level.closest(".field").hidden = kind !== "change_level";
    if (kind !== "change_level") level.value = "";
  }

  function changes() {
    return [...rows.children].map((row) => {
      const found = {};
      for (const input of row.querySelectorAll("[data-key]")) if (input.value) found[input.dataset.key] = input.value;
      return found;
    });
  }

  function body() {
    const found = { version: Number(form.dataset.version), changes: changes() };
    const objection = document.getElementById("objection");
    const release = document.getElementById("release");
    if (objection && objection.value.trim()) found.objection = objection.value.trim();
    if (release && release.value) found.release_at = new Date(release.value).toISOString();
    return found;
  }

  const standing = (line) => (line ? `${line.place || "–"} · ${words[line.outcome] || line.total}` : words.out);
  const cell = (tag, text, className = "") => element(tag, className, text);

  function table(lines) {
    const head = element("tr", "", ...[words.candidate, words.before, words.after, words.move].map((text) => Object.assign(cell("th", text), { scope: "col" })));
    const body = lines.map((each) => element(
      "tr", "", Object.assign(cell("th", `${each.number} ${each.title}`), { scope: "row" }),
      cell("td", standing(each.before)), cell("td", standing(each.after)), cell("td", words.moves[each.move] || each.move),
    ));
    return element("div", "table-wrap", element("table", "table table--dense", element("caption", "", words.caption), element("thead", "", head), element("tbody", "", ...body)));
  }

  form.addEventListener("input", (event) => {
    const row = event.target.closest("[data-change]");
    if (row && event.target.dataset.key === "kind") fit(row);
    // What was previewed is no longer what would be proposed.
    if (look) send.disabled = true;
  });
  form.addEventListener("click", (event) => {
    if ("changeIn" in event.target.dataset) {
      const made = first.cloneNode(true);
      rows.append(made);
      fit(made);
      made.querySelector("select").focus();
      if (look) send.disabled = true;
    } else if ("changeOut" in event.target.dataset && rows.children.length > 1) {
      event.target.closest("[data-change]").remove();
      if (look) send.disabled = true;
    }
  });
  if (look) {
    look.addEventListener("click", async () => {
      if (!form.reportValidity()) return;
      try {
        const { version, changes: wanted } = body();
        const answer = await call("POST", `${api}/preview`, { version, changes: wanted });
        shown.hidden = false;
        shown.replaceChildren(answer.difference.length ? table(answer.difference) : element("p", "muted", words.none));
        send.disabled = !answer.difference.length;
      } catch (error) {
        refused(form, error);
      }
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await call("POST", `${api}/proposals`, body());
      location.reload();
    } catch (error) {
      refused(form, error);
      send.disabled = false;
    }
  });
  fit(rows.firstElementChild);
}

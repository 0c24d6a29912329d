// Fields that were changed here and elsewhere: both values side by side, one choice each, nothing chosen in silence.
import { criteria } from "./form.js";
import { flat, full } from "./merge.js";

const place = document.getElementById("conflict");

function titleOf(name) {
  const [group, id] = name.split(".");
  const criterion = criteria.find((each) => each.id === id);
  const texts = [...document.querySelectorAll("label[for='comment'], #conflict-title")];
  if (!criterion) return texts[texts.length - 1].textContent;
  return group === "marks" ? criterion.title : document.querySelector(`[name="comment.${id}"]`).getAttribute("aria-label");
}

function choice(name, value, which, checked) {
  const label = document.createElement("label");
  label.className = "choice";
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: `settle.${name}`, value: which, checked });
  const text = document.createElement("span");
  text.textContent = value || "—";
  label.append(input, text);
  const cell = document.createElement("td");
  cell.append(label);
  return cell;
}

function row({ name, mine, stored }) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = titleOf(name);
  line.append(head, choice(name, mine, "mine", true), choice(name, stored, "stored", false));
  return line;
}

/** The content after the expert chose; resolves only then. */
export function settle({ content, conflicts }) {
  place.querySelector("tbody").replaceChildren(...conflicts.map(row));
  place.hidden = false;
  place.focus();
  const chosen = (name) => place.querySelector(`input[name="settle.${name}"]:checked`).value;
  return new Promise((resolve) => {
    const finish = (which) => {
      const fields = flat(content);
      for (const each of conflicts) fields[each.name] = each[which(each.name)];
      place.hidden = true;
      resolve(full(fields));
    };
    place.querySelector("[data-settle]").onclick = () => finish(chosen);
    for (const button of place.querySelectorAll("[data-all]")) button.onclick = () => finish(() => button.dataset.all);
  });
}

// The form's content as the interface has it: values by name ("title", "sections.work_plan"), and whether two are the same.

export function valueIn(content, name) {
  return name.split(".").reduce((inside, key) => (inside ? inside[key] : undefined), content);
}

/** A new content in which `name` holds `value`. */
export function withValue(content, name, value) {
  const [first, ...rest] = name.split(".");
  return { ...content, [first]: rest.length ? withValue(content[first] || {}, rest.join("."), value) : value };
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.keys(value).sort().map((key) => [key, value[key] === null ? "" : value[key]]);
  }
  return value === null || value === undefined ? "" : value;
}

export function same(one, other) {
  return JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}

/** A value as a person reads it: a row of a table is a line. */
export function described(value) {
  if (!Array.isArray(value)) return String(value || "");
  return value.map((row) => Object.values(row).filter(Boolean).join("　")).join("\n");
}

/** Characters as the server counts them: code points, not halves of them. */
export function count(text) {
  return [...text].length;
}

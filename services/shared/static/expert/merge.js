// Merging what was written here with what was stored meanwhile, field by field, as both changed from what both knew.
// A content is { marks, comments, comment }; fields are named "marks.innovation", "comments.innovation", "comment".

/** A content as a plain list of fields; an empty one and a missing one are the same. */
export function flat(content) {
  const fields = {};
  for (const group of ["marks", "comments"]) {
    for (const name of Object.keys(content[group] || {})) {
      const value = String(content[group][name]).trim();
      if (value) fields[`${group}.${name}`] = value;
    }
  }
  const comment = String(content.comment || "");
  if (comment.trim()) fields.comment = comment;
  return fields;
}

export function full(fields) {
  const content = { marks: {}, comments: {}, comment: fields.comment || "" };
  for (const name of Object.keys(fields)) {
    const dot = name.indexOf(".");
    if (dot > 0 && fields[name]) content[name.slice(0, dot)][name.slice(dot + 1)] = fields[name];
  }
  return content;
}

export function same(one, other) {
  const first = flat(one);
  const second = flat(other);
  const names = new Set([...Object.keys(first), ...Object.keys(second)]);
  return [...names].every((name) => first[name] === second[name]);
}

/** { content, conflicts: [{ name, mine, stored }] }: where both changed a field differently, `content` has mine. */
export function merge(base, mine, stored) {
  const known = flat(base);
  const here = flat(mine);
  const there = flat(stored);
  const merged = {};
  const conflicts = [];
  for (const name of new Set([...Object.keys(known), ...Object.keys(here), ...Object.keys(there)])) {
    const changedHere = here[name] !== known[name];
    const changedThere = there[name] !== known[name];
    const value = changedHere ? here[name] : there[name];
    if (value !== undefined) merged[name] = value;
    if (changedHere && changedThere && here[name] !== there[name]) {
      conflicts.push({ name, mine: here[name] || "", stored: there[name] || "" });
    }
  }
  return { content: full(merged), conflicts };
}

// The ballot rule as sentences: what is still missing, for the bar and the review. The server checks it again.

export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

export function groupTitle(facts, card, names) {
  const keys = facts.groups.by;
  if (keys.length === 0) return "";
  return keys.map((key) => (key === "channel" ? card.channel_title || card.channel : names[card[key]] || card[key])).join(" · ");
}

// How many may still be chosen, whatever else is wrong.
export function leftText(facts, chosen, texts) {
  const left = facts.ballot.choices_max - chosen;
  return left > 0 ? fill(texts.can_add, { n: left }) : texts.full;
}

// Sentences about what stands in the way; none when the ballot may be sent.
export function problems(facts, chosen, texts, names) {
  const rule = facts.ballot;
  const found = [];
  if (chosen.length > rule.choices_max) {
    found.push(fill(texts.too_many, { max: rule.choices_max, n: chosen.length - rule.choices_max }));
  }
  if (rule.group_max) {
    const counts = new Map();
    for (const card of chosen) counts.set(card.group, (counts.get(card.group) || 0) + 1);
    for (const [group, count] of counts) {
      if (count <= rule.group_max) continue;
      const card = chosen.find((each) => each.group === group);
      found.push(fill(texts.group, { group: groupTitle(facts, card, names), max: rule.group_max, n: count - rule.group_max }));
    }
  }
  if (chosen.length < rule.choices_min) found.push(fill(texts.more, { n: rule.choices_min - chosen.length }));
  const channels = new Set(chosen.map((card) => card.channel)).size;
  if (chosen.length > 0 && channels < rule.channels_min && chosen.length >= rule.choices_min) {
    found.push(fill(texts.channels, { min: rule.channels_min, n: channels }));
  }
  return found;
}

// The chosen candidates that still stand, in the order they were chosen.
export function chosenCards(facts, choices) {
  const byId = new Map(facts.candidates.map((card) => [card.candidate, card]));
  return choices.map((id) => byId.get(id)).filter((card) => card && !card.withdrawn_at);
}

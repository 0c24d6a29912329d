"""What `pingxuan rounds preview` says of a recomputation: who would move, by how much, because of what. Pure."""

from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width

BECAUSE = {
    "rules": "the rules",
    "tally": "the tally",
    "sheets": "the sheets",
    "software": "the software",
}
_TITLE_WIDTH = 40


def told(change: Mapping[str, Any]) -> str:
    """The answer of scoring's preview as lines; a first ranking has nothing to be compared with."""
    if change["before"] is None:
        return f"{change['round']}: version {change['after']} would be the first, {len(change['rows'])} rows"
    causes = [words for name, words in BECAUSE.items() if change["because"].get(name)]
    because = f"because of {', '.join(causes)}" if causes else "nothing it rests on has changed"
    head = f"{change['round']}: version {change['before']} → {change['after']}, {because}; {change['moved']} move"
    return "\n".join([head, *(_line(row) for row in change["rows"])])


def _line(row: Mapping[str, Any]) -> str:
    place = f"{_shown(row['place_before'])} → {_shown(row['place_after'])}"
    old, new = row["outcome"]
    outcome = "" if (old or "") == (new or "") else f"  {old or 'not selected'} → {new or 'not selected'}"
    difference, because = row["total_difference"] or "—", ", ".join(row["because"])
    return f"  {row['group']:<16}  {place:>11}  {difference:>8}  {_cut(row['title'])}  ({because}){outcome}"


def _shown(place: int | None) -> str:
    return "—" if place is None else str(place)


def _cut(title: str) -> str:
    """A title in so many columns of a terminal, where Chinese characters take two."""
    kept, width = "", 0
    for character in title:
        width += 2 if east_asian_width(character) in "WF" else 1
        if width > _TITLE_WIDTH:
            return f"{kept}…"
        kept += character
    return kept

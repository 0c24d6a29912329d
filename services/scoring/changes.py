"""What differs between two rankings of a round: who moves, by how much, because of what. Pure.

Works on the bodies that API and pages show, so that what the public may not see of them cannot appear here either.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any

from services.scoring.records import Ranking
from services.shared.ranking.numbers import print_number

Json = dict[str, Any]


class Source(StrEnum):
    """What a row's change comes from."""

    VOTES = "votes"
    MARKS = "marks"
    RULES = "rules"
    OTHERS = "others"
    ADDED = "added"
    WITHDRAWN = "withdrawn"


def compare(before: Ranking, after: Ranking, old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """Sources that differ, and every row that does; `old` and `new` are the bodies the reader may see."""
    old_rows = {row["candidate"]: row for row in old["rows"]}
    new_rows = {row["candidate"]: row for row in new["rows"]}
    rules_changed = before.rules_digest != after.rules_digest
    names = [*new_rows, *(name for name in old_rows if name not in new_rows)]
    told = [_change(old_rows.get(name), new_rows.get(name), rules_changed) for name in names]
    rows = [each for each in told if each is not None]
    return {
        "before": before.version,
        "after": after.version,
        "because": _sources(before, after),
        "moved": sum(each["place_before"] != each["place_after"] for each in rows),
        "rows": rows,
    }


def _sources(before: Ranking, after: Ranking) -> Json:
    """Which of the things a ranking rests on differ, by their digests."""
    names = ("rules_digest", "tally_digest", "sheets_digest", "software")
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in names}
    return {name.removesuffix("_digest"): old != new for name, (old, new) in pairs.items()}


def _change(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, rules_changed: bool) -> Json | None:
    """One candidate's change; None where it has none."""
    row = new or old
    assert row is not None
    sources = _row_sources(old, new, rules_changed)
    if old is not None and new is not None and not sources:
        return None
    numbers = {
        name: _pair(old, new, name) for name in ("total", "vote_points", "expert_points", "votes", "outcome", "sheets")
    }
    return {
        "candidate": row["candidate"],
        "title": row["title"],
        "group": row["group"],
        "place_before": old and old["place"],
        "place_after": new and new["place"],
        "total_difference": _difference(old, new),
        "because": [source.value for source in sources],
        **numbers,
    }


def _pair(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, name: str) -> list[Any]:
    return [old and old[name], new and new[name]]


def _row_sources(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, rules_changed: bool) -> list[Source]:
    """Own votes and marks first; a row that changed with neither changed because of the others in its group."""
    if old is None or new is None:
        return [Source.ADDED if old is None else Source.WITHDRAWN]
    sources = [Source.VOTES] if old["votes"] != new["votes"] else []
    marks = ("sheets", "criteria", "dropped_sheets")
    if any(old[name] != new[name] for name in marks):
        sources.append(Source.MARKS)
    shown = ("place", "total", "vote_points", "expert_points", "outcome", "tie_break")
    if not sources and any(old[name] != new[name] for name in shown):
        sources.append(Source.RULES if rules_changed else Source.OTHERS)
    return sources


def _difference(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    """New total less old, exactly; empty where one is missing."""
    if old is None or new is None or not old["total"] or not new["total"]:
        return ""
    digits = max(len(text.partition(".")[2]) for text in (old["total"], new["total"]))
    difference = Fraction(new["total"]) - Fraction(old["total"])
    return ("+" if difference > 0 else "") + print_number(difference, digits, "half_up")

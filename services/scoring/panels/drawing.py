"""Panels drawn by lot: the same pool, needs and seed give the same panel on every machine. Pure.

A lot is the SHA-256 of seed, group and user name; the smallest lots that the constraints allow take the seats, those
after them are the reserves. Called by `panel.py`; an auditor recomputes it from the published record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec

from services.scoring.panels.conflicts import Facts


class PoolExpert(msgspec.Struct, frozen=True):
    """Somebody who may be drawn: fields of work, and the facts that tell conflicts."""

    expert: str
    fields: tuple[str, ...] = ()
    facts: Facts = Facts()


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a group's panel needs.

    `fields`: at least so many members of a field. `unit_max`: at most so many from one unit (0: no limit).
    `conflicts_max`: with so many of the group's candidates a member may be in conflict (and does not score those).
    """

    group: str
    seats: int
    reserves: int = 2
    fields: dict[str, int] = {}
    unit_max: int = 1
    conflicts_max: int = 0


class Panel(msgspec.Struct, frozen=True):
    """A drawn panel, in the order of the lots."""

    group: str
    members: tuple[str, ...]
    reserves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Undrawable:
    """Why the pool cannot fill a panel: which group, and what it lacks."""

    group: str
    lacks: str


def draw(
    pool: Iterable[PoolExpert],
    needs: Sequence[Need],
    seed: str,
    tied: Mapping[str, Mapping[str, int]] | None = None,
) -> list[Panel] | Undrawable:
    """Panels of every group in the order of `needs`; nobody sits on two.

    `tied` tells, by group and expert, with how many of the group's candidates the expert is in conflict. Seats that
    need a field are filled first, then the others, both in the order of the lots: chance decides, nothing is optimised,
    and a pool in which that ends short is refused rather than drawn again.
    """
    everybody = sorted(pool, key=lambda each: each.expert)
    taken: set[str] = set()
    panels = []
    for need in needs:
        counts = (tied or {}).get(need.group, {})
        free = [
            each for each in everybody if each.expert not in taken and counts.get(each.expert, 0) <= need.conflicts_max
        ]
        free.sort(key=lambda each: lot(seed, need.group, each.expert))
        drawn = _draw_one(free, need)
        if isinstance(drawn, Undrawable):
            return drawn
        taken.update(chain(drawn.members, drawn.reserves))
        panels.append(drawn)
    return panels


def lot(seed: str, group: str, expert: str) -> str:
    """The expert's lot in a group; the smallest is drawn first."""
    return hashlib.sha256(f"{seed}\n{group}\n{expert}".encode()).hexdigest()


def _draw_one(free: Sequence[PoolExpert], need: Need) -> Panel | Undrawable:
    chosen: list[PoolExpert] = []
    for field in sorted(need.fields):
        lacking = need.fields[field] - sum(field in each.fields for each in chosen)
        skilled = [each for each in free if field in each.fields]
        if _take(chosen, skilled, max(0, lacking), need.unit_max) > 0:
            return Undrawable(need.group, f"experts of the field {field}")
    if len(chosen) > need.seats:
        return Undrawable(need.group, "seats for all the fields it asks for")
    if _take(chosen, free, need.seats - len(chosen), need.unit_max) > 0:
        return Undrawable(need.group, f"experts for {need.seats} seats")
    members = [each.expert for each in free if each in chosen]
    rest = [each.expert for each in free if each not in chosen]
    if len(rest) < need.reserves:
        return Undrawable(need.group, f"experts for {need.reserves} reserves")
    return Panel(need.group, tuple(members), tuple(rest[: need.reserves]))


def _take(chosen: list[PoolExpert], free: Iterable[PoolExpert], wanted: int, unit_max: int) -> int:
    """Add the first `wanted` that the limit per unit allows; returns how many are still wanted."""
    for each in free:
        if wanted == 0:
            break
        unit = each.facts.unit
        full = unit_max and unit and sum(other.facts.unit == unit for other in chosen) >= unit_max
        if each not in chosen and not full:
            chosen.append(each)
            wanted -= 1
    return wanted


def pool_digest(pool: Iterable[PoolExpert]) -> str:
    """SHA-256 of the pool in one form, so that nobody can be added after the promise."""
    rows = [msgspec.to_builtins(each) for each in sorted(pool, key=lambda each: each.expert)]
    return hashlib.sha256(json.dumps(rows, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def commitment(seed: str) -> str:
    """What is published of a seed before it is used."""
    return hashlib.sha256(seed.encode()).hexdigest()


def final_seed(seed: str, word: str) -> str:
    """Seed of the draw: the promised one, and a word nobody knew when it was promised, so that neither side steers."""
    return hashlib.sha256(f"{seed}:{word}".encode()).hexdigest()

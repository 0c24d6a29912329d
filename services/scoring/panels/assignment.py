"""Balanced random assignment: each candidate gets r experts, loads differ by at most one, the graph is connected. Pure.

For panels that cannot score everything. Connected means that every expert can be compared with every other through
candidates they share, which `adjust = "additive"` of the rules needs. Lots come from a named seed.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Duties = dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Unassignable:
    """Why no such assignment exists or was found, in a few words."""

    why: str


def everybody(experts: Sequence[str], candidates: Sequence[str], tied: Mapping[str, frozenset[str]]) -> Duties:
    """Every expert scores every candidate without a conflict."""
    return {each: frozenset(e for e in experts if each not in tied.get(e, frozenset())) for each in candidates}


def balanced(
    experts: Sequence[str],
    candidates: Sequence[str],
    marks_each: int,
    seed: str,
    tied: Mapping[str, frozenset[str]] | None = None,
) -> Duties | Unassignable:
    """Experts by candidate. `tied`: candidates an expert must not score.

    A connected graph over n experts and m candidates needs m + n - 1 sheets; fewer are refused. Conflicts may force
    loads apart; they are then as equal as they can be.
    """
    conflicts = tied or {}
    if len(candidates) * marks_each < len(candidates) + len(experts) - 1:
        return Unassignable(f"{marks_each} marks a candidate cannot connect {len(experts)} experts")
    duties: dict[str, set[str]] = {}
    loads = dict.fromkeys(experts, 0)
    for candidate in sorted(candidates, key=lambda each: _lot(seed, each)):
        free = [each for each in experts if candidate not in conflicts.get(each, frozenset())]
        if len(free) < marks_each:
            return Unassignable(f"{candidate} has only {len(free)} experts without a conflict")
        free.sort(key=lambda each: (loads[each], _lot(seed, candidate, each)))
        duties[candidate] = set(free[:marks_each])
        for each in duties[candidate]:
            loads[each] += 1
    _even_out(duties, experts, conflicts)
    if not _connect(duties, experts, conflicts, seed):
        return Unassignable("conflicts keep the experts from being compared with each other")
    return {candidate: frozenset(chosen) for candidate, chosen in duties.items()}


def _lot(seed: str, *names: str) -> str:
    return hashlib.sha256("\n".join((seed, *names)).encode()).hexdigest()


def _even_out(duties: dict[str, set[str]], experts: Sequence[str], tied: Mapping[str, frozenset[str]]) -> None:
    """Hand candidates along chains of experts from the most to the less loaded while that helps."""
    while chain := _chain(duties, experts, tied):
        for candidate, giver, taker in chain:
            duties[candidate].remove(giver)
            duties[candidate].add(taker)


def _chain(
    duties: Mapping[str, set[str]], experts: Sequence[str], tied: Mapping[str, frozenset[str]]
) -> list[tuple[str, str, str]]:
    """Handovers (candidate, giver, taker) from an expert to one with at least two sheets fewer; empty when none."""
    loads = {each: sum(each in chosen for chosen in duties.values()) for each in experts}
    for start in sorted(experts, key=lambda each: (-loads[each], each)):
        came: dict[str, list[tuple[str, str, str]]] = {start: []}
        queue = deque([start])
        while queue:
            giver = queue.popleft()
            if loads[start] - loads[giver] >= 2:
                return came[giver]
            for candidate, taker in _handovers(duties, experts, tied, giver):
                # A chain hands a candidate on once only, or the second handover would undo the first.
                if taker not in came and all(candidate != each for each, _, _ in came[giver]):
                    came[taker] = [*came[giver], (candidate, giver, taker)]
                    queue.append(taker)
    return []


def _handovers(
    duties: Mapping[str, set[str]], experts: Sequence[str], tied: Mapping[str, frozenset[str]], giver: str
) -> list[tuple[str, str]]:
    return [
        (candidate, taker)
        for candidate, chosen in sorted(duties.items())
        if giver in chosen
        for taker in experts
        if taker not in chosen and candidate not in tied.get(taker, frozenset())
    ]


def _connect(
    duties: dict[str, set[str]], experts: Sequence[str], tied: Mapping[str, frozenset[str]], seed: str
) -> bool:
    """Exchange experts between parts until there is one; loads stay. False when conflicts allow no exchange.

    With at least m + n - 1 sheets, as long as there are two parts one of them has a cycle; exchanging a sheet on it for
    any sheet of another part joins the two.
    """
    while len(parts := components(duties, experts)) > 1:
        exchange = _exchange(duties, experts, tied, parts, seed)
        if exchange is None:
            return False
        (one, giver), (other, taker) = exchange
        duties[one] = duties[one] - {giver} | {taker}
        duties[other] = duties[other] - {taker} | {giver}
    return True


Sheet = tuple[str, str]


def _exchange(
    duties: Mapping[str, set[str]],
    experts: Sequence[str],
    tied: Mapping[str, frozenset[str]],
    parts: Sequence[frozenset[str]],
    seed: str,
) -> tuple[Sheet, Sheet] | None:
    part_of = {each: number for number, part in enumerate(parts) for each in part}
    sheets = [(candidate, each) for candidate, chosen in duties.items() for each in chosen]
    sheets.sort(key=lambda each: _lot(seed, *each))
    spare = [each for each in sheets if not _is_bridge(duties, experts, each, len(parts))]
    for (one, giver), (other, taker) in product(spare, sheets):
        allowed = one not in tied.get(taker, frozenset()) and other not in tied.get(giver, frozenset())
        if part_of[giver] != part_of[taker] and allowed:
            return (one, giver), (other, taker)
    return None


def _is_bridge(duties: Mapping[str, set[str]], experts: Sequence[str], sheet: Sheet, parts: int) -> bool:
    """Whether taking the sheet away leaves a part in two."""
    candidate, expert = sheet
    without = {**duties, candidate: duties[candidate] - {expert}}
    if not without[candidate]:
        return True
    return len(components(without, experts)) > parts


def components(duties: Mapping[str, set[str] | frozenset[str]], experts: Sequence[str]) -> list[frozenset[str]]:
    """Experts connected through candidates they share, as parts; an expert without a sheet is a part alone."""
    parts: list[set[str]] = [{each} for each in experts]
    for chosen in duties.values():
        touched = [part for part in parts if part & chosen]
        if len(touched) > 1:
            parts = [part for part in parts if not part & chosen]
            parts.append(set().union(*touched))
    return [frozenset(part) for part in parts]

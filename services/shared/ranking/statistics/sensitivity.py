"""What would have come out under slightly other rules: who moves, and from which weight on another one wins.

Each variant is the whole ranking made again with one thing changed; only candidates whose place or outcome moves are
told. Called by `report.py`; nothing of it changes the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Final, Literal

from services.shared.ranking.errors import InputError
from services.shared.ranking.model import Aggregate, Rules
from services.shared.ranking.numbers import print_number
from services.shared.ranking.result import Ranking, Row
from services.shared.ranking.selection import Outcome
from services.shared.ranking.statistics.source import Source

WEIGHT_STEP: Final = Fraction(5, 100)
OTHER_AGGREGATES: Final[tuple[Aggregate, ...]] = ("mean", "trimmed_mean", "median")

VariantKind = Literal["votes_weight", "without_expert", "aggregate", "leader_doubled", "excluded_counted"]


@dataclass(frozen=True, slots=True)
class Move:
    """A candidate whose place or outcome differs from the published one."""

    group: str
    candidate: str
    place: int
    place_then: int
    outcome: Outcome
    outcome_then: Outcome


@dataclass(frozen=True, slots=True)
class Variant:
    """One changed thing and who moves; `value` says which weight, expert, aggregate or leader.

    `refused` is the reason where the rules cannot be applied then; nobody moves in that case.
    """

    kind: VariantKind
    value: str
    moves: tuple[Move, ...]
    refused: str = ""


def moves_between(published: Ranking, then: Ranking) -> tuple[Move, ...]:
    """Return whoever has another place or outcome, in the order of the published ranking."""
    after = {row.candidate: row for row in then.rows}
    return tuple(
        Move(row.group, row.candidate, row.place, other.place, row.outcome, other.outcome)
        for row in published.rows
        if (other := after[row.candidate]) and (row.place, row.outcome) != (other.place, other.outcome)
    )


def variant(source: Source, kind: VariantKind, value: str, again: Callable[[], Ranking]) -> Variant:
    """Make one variant; what the rules refuse is told instead."""
    try:
        return Variant(kind, value, moves_between(source.ranking, again()))
    except InputError as error:
        return Variant(kind, value, (), error.reason)


def other_weights(source: Source) -> list[Variant]:
    """Move the votes' weight by 5 points of the whole up and down, the experts' the other way, neither below 0."""
    combination = source.rules.combination
    whole = combination.votes + combination.experts
    found = []
    for step in (-WEIGHT_STEP, WEIGHT_STEP):
        votes = min(whole, max(Fraction(0), combination.votes + step * whole))
        if votes != combination.votes:
            changed = replace(combination, votes=votes, experts=whole - votes)
            rules = replace(source.rules, combination=changed)
            found.append(variant(source, "votes_weight", _plain(votes), partial(source.again, rules)))
    return found


def without_each_expert(source: Source) -> list[Variant]:
    """Leave out one expert after the other; only where experts are linked over candidates."""
    if not source.experts_linked:
        return []

    def leave_out(expert: str) -> Ranking:
        return source.again(scores=source.rescored(source.rules, {expert}))

    return [variant(source, "without_expert", expert, partial(leave_out, expert)) for expert in source.experts()]


def other_aggregates(source: Source) -> list[Variant]:
    """Aggregate in another way; the trimmed mean then drops one mark at each end of panels of three and more."""
    if source.marks is None:
        return []

    def aggregated(aggregate: Aggregate) -> Ranking:
        rules = _with_aggregate(source.rules, aggregate)
        return source.again(rules, scores=source.rescored(rules))

    own = source.rules.experts.aggregate
    return [variant(source, "aggregate", each, partial(aggregated, each)) for each in OTHER_AGGREGATES if each != own]


def _with_aggregate(rules: Rules, aggregate: Aggregate) -> Rules:
    experts = replace(rules.experts, aggregate=aggregate)
    if aggregate == "trimmed_mean":
        experts = replace(experts, trim_low=1, trim_high=1, panel_min=3, fallback="mean")
    return replace(rules, experts=experts)


def leader_doubled(source: Source) -> list[Variant]:
    """Double the votes of each group's leader (bought, say): whoever else moves is moved by the transform alone."""
    if source.votes is None:
        return []
    found = []
    for rows in source.rows_by_group().values():
        leader = min(rows, key=lambda row: (-(row.votes or 0), row.candidate))
        votes = {key: 2 * count if key[0] == leader.candidate else count for key, count in source.votes.items()}
        if leader.votes:
            found.append(variant(source, "leader_doubled", leader.candidate, partial(source.again, votes=votes)))
    return found


@dataclass(frozen=True, slots=True)
class Crossing:
    """The nearest weight of the votes, above or below the present one, from which on another candidate leads a group.

    `weight` is exact, as a fraction `p/q`, and as a number; the experts' weight is the rest of the present sum.
    `candidate` leads beyond it. No crossing: `weight` is empty, the winner leads at every weight on that side.
    """

    group: str
    winner: str
    direction: Literal["down", "up"]
    candidate: str
    weight: str
    weight_number: Fraction | None


def crossings(source: Source) -> list[Crossing]:
    """Find where the winner of each group changes, exactly, for weights of the votes from 0 to the sum of both.

    Totals are linear in the weight: `w · vote_points + (sum − w) · expert_points` of the published, rounded points.
    The total itself is not rounded here, so that totals closer than its last decimal, which the published ranking ties,
    are told apart; a winner by tie-break whose unrounded total is the smaller one crosses at the present weight.
    """
    combination = source.rules.combination
    whole = combination.votes + combination.experts
    found = []
    for group, rows in source.rows_by_group().items():
        for direction, end in (("down", Fraction(0)), ("up", whole)):
            found.append(_crossing(group, rows, combination.votes, end, whole, direction))
    return found


def _crossing(
    group: str, rows: Sequence[Row], present: Fraction, end: Fraction, whole: Fraction, direction: str
) -> Crossing:
    winner = rows[0]
    reached: list[tuple[Fraction, Fraction, str]] = []
    for other in rows[1:]:
        at_present = _lead(winner, other, present, whole)
        at_end = _lead(winner, other, end, whole)
        if end != present and min(at_present, at_end) < 0:
            share = at_present / (at_present - at_end) if at_present > 0 else Fraction(0)
            reached.append((share, at_end, other.candidate))
    named: Literal["down", "up"] = "down" if direction == "down" else "up"
    if not reached:
        return Crossing(group, winner.candidate, named, "", "", None)
    # Several may draw level at the same weight; beyond it, whoever gains fastest leads.
    share, _, candidate = min(reached)
    weight = present + share * (end - present)
    return Crossing(group, winner.candidate, named, candidate, str(weight), weight)


def _lead(winner: Row, other: Row, weight: Fraction, whole: Fraction) -> Fraction:
    votes = (winner.vote_points or Fraction(0)) - (other.vote_points or Fraction(0))
    experts = (winner.expert_points or Fraction(0)) - (other.expert_points or Fraction(0))
    return weight * votes + (whole - weight) * experts


def _plain(number: Fraction) -> str:
    return print_number(number, None, "half_up")

"""Transforms of one group's votes, or expert scores, into points; pure lists in, lists of exact points out.

Each function's docstring is its formula. A division by zero has an answer instead: no votes
(`V` or `max` 0) give 0, no spread (`sd` 0) gives 50.
"""

from collections.abc import Sequence
from fractions import Fraction

from services.shared.ranking.model import ExpertsTransform, Ties, Votes
from services.shared.ranking.numbers import common_denominator, mean_and_deviation, natural_logarithm

FULL = Fraction(100)
MIDDLE = Fraction(50)
SPREAD = 10


def transform_votes(counts: Sequence[int], rule: Votes) -> list[Fraction]:
    """Return the points of a group (or of its part in one stratum), unrounded, in the order of `counts`."""
    total = sum(counts)
    credited = _capped(counts, total, rule.cap)
    match rule.transform:
        case "raw":
            return credited
        case "share":
            return [FULL * votes / total if total else Fraction(0) for votes in credited]
        case "linear_to_max":
            return linear_to_max(credited)
        case "log_to_max":
            return linear_to_max(_logarithms(credited))
        case "percentile":
            return _percentiles(credited)
        case "t_score":
            return t_scores(credited)
        case "t_score_log":
            return t_scores(_logarithms(credited))
        case "rank_points":
            return rank_points(credited, rule.points, rule.ties)


def transform_experts(scores: Sequence[Fraction], transform: ExpertsTransform) -> list[Fraction]:
    """Return the points of the candidates of a group that have marks, unrounded, in order."""
    match transform:
        case "none":
            return list(scores)
        case "linear_to_max":
            return linear_to_max(scores)
        case "t_score":
            return t_scores(scores)


def _capped(counts: Sequence[int], total: int, cap: Fraction | None) -> list[Fraction]:
    votes = [Fraction(count) for count in counts]
    return votes if cap is None else [min(count, cap * total) for count in votes]


def linear_to_max(values: Sequence[Fraction]) -> list[Fraction]:
    """`100 · value / max`; 0 where the maximum is not above 0 (dividing by it would turn the order round)."""
    highest = max(values, default=Fraction(0))
    return [FULL * value / highest if highest > 0 else Fraction(0) for value in values]


def _logarithms(values: Sequence[Fraction]) -> list[Fraction]:
    """`ln(1 + value)`; each different value once, since many candidates share one."""
    of = {value: natural_logarithm(1 + value) for value in set(values)}
    return [of[value] for value in values]


def t_scores(values: Sequence[Fraction]) -> list[Fraction]:
    """`50 + 10 · (value − mean) / sd`, population sd, clipped to 0–100; all 50 where sd is 0."""
    if not values:
        return []
    mean, deviation = mean_and_deviation(values)
    if deviation == 0:
        return [MIDDLE] * len(values)
    return [min(FULL, max(Fraction(0), MIDDLE + SPREAD * (value - mean) / deviation)) for value in values]


def _percentiles(values: Sequence[Fraction]) -> list[Fraction]:
    """`100 · (fewer + equal/2) / n`, `equal` counting the candidate itself."""
    count = len(values)
    result = [Fraction(0)] * count
    for tied, first in tied_positions(values):
        fewer = count - first - len(tied)
        for position in tied:
            result[position] = Fraction(100 * (2 * fewer + len(tied)), 2 * count)
    return result


def rank_points(values: Sequence[Fraction], points: Sequence[Fraction], ties: Ties) -> list[Fraction]:
    """Points for the place among `values`, highest first, 0 beyond the list.

    Equals share the average of the points of the places they fill, or all get the best one's.
    """
    result = [Fraction(0)] * len(values)
    for tied, first in tied_positions(values):
        filled = points[first : first + len(tied)]
        best = filled[0] if filled else Fraction(0)
        shared = best if ties == "best" else sum(filled, Fraction(0)) / len(tied)
        for position in tied:
            result[position] = shared
    return result


def tied_positions(values: Sequence[Fraction]) -> list[tuple[list[int], int]]:
    """Return, highest value first, the positions that hold it and how many positions hold a higher one."""
    units, _ = common_denominator(values) if values else ([], 1)
    holders: dict[int, list[int]] = {}
    for position, unit in enumerate(units):
        holders.setdefault(unit, []).append(position)
    found, before = [], 0
    for unit in sorted(holders, reverse=True):
        found.append((holders[unit], before))
        before += len(holders[unit])
    return found

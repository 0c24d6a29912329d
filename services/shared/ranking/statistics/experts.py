"""The experts one by one: how severe, how wide, and which marks stand far from what the others let one expect.

Nothing is removed by any of this. The names are those of the marks; whoever publishes replaces them (`report.py`).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Final

from services.shared.ranking.numbers import mean_and_deviation, square_root
from services.shared.ranking.statistics.agreement import (
    Reading,
    Table,
    alpha_interval,
    icc_a_k,
    kendall_w,
    read_alpha,
    read_icc,
    read_w,
)
from services.shared.ranking.statistics.source import Part, fraction_of

# A mark is outlying when it is further from its expectation than this many standard deviations of all other residuals.
OUTLYING_DEVIATIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the experts of a group agree on one part ("" is the whole sheet); None where it cannot be told.

    ICC and W rest on the `candidates` that all of `experts` marked, alpha on every mark.
    """

    group: str
    criterion: str
    candidates: int
    experts: int
    icc_a_k: Fraction | None
    icc_reading: Reading
    kendall_w: Fraction | None
    kendall_reading: Reading
    alpha: Fraction | None
    alpha_reading: Reading


@dataclass(frozen=True, slots=True)
class ExpertHabit:
    """One expert on one part: mean difference to the others' mean on the same candidates, and own spread.

    `spread` is the population standard deviation of the expert's values.
    """

    group: str
    criterion: str
    expert: str
    sheets: int
    offset: Fraction
    spread: Fraction


@dataclass(frozen=True, slots=True)
class OutlyingMark:
    """A mark far from its expectation: the other marks on the candidate, and the expert's offset elsewhere."""

    group: str
    candidate: str
    criterion: str
    expert: str
    mark: Fraction
    expected: Fraction
    deviations: Fraction


def agreement(group: str, part: Part, linked: bool) -> Agreement:
    """Measure a group's agreement on a part; without linked experts only alpha, which needs no identity."""
    table = _complete_table(part) if linked else []
    icc, w = icc_a_k(table), kendall_w(table)
    alpha = alpha_interval(list(of.values()) for of in part.values.values())
    return Agreement(
        group=group,
        criterion=part.name,
        candidates=len(table),
        experts=len(table[0]) if table else 0,
        icc_a_k=icc,
        icc_reading=read_icc(icc),
        kendall_w=w,
        kendall_reading=read_w(w),
        alpha=alpha,
        alpha_reading=read_alpha(alpha),
    )


def _complete_table(part: Part) -> Table:
    """Rows of the candidates marked by every expert who marked at least half of them; a stand-in is left out."""
    counts: dict[str, int] = defaultdict(int)
    for of_candidate in part.values.values():
        for expert in of_candidate:
            counts[expert] += 1
    regular = sorted(expert for expert, count in counts.items() if 2 * count >= len(part.values))
    if not regular:
        return []
    return [[of[expert] for expert in regular] for of in part.values.values() if all(e in of for e in regular)]


def habits(group: str, part: Part) -> list[ExpertHabit]:
    """Return the offset and the spread of every expert who shared a candidate with another."""
    differences = differences_of(part)
    own: dict[str, list[Fraction]] = defaultdict(list)
    for of_candidate in part.values.values():
        for expert, value in of_candidate.items():
            own[expert].append(fraction_of(part, value))
    return [
        ExpertHabit(
            group=group,
            criterion=part.name,
            expert=expert,
            sheets=len(own[expert]),
            offset=sum(found.values(), Fraction(0)) / len(found),
            spread=mean_and_deviation(own[expert])[1],
        )
        for expert, found in sorted(differences.items())
    ]


def differences_of(part: Part) -> dict[str, dict[str, Fraction]]:
    """Return expert → candidate → own value less the mean of the others', where there are others."""
    found: dict[str, dict[str, Fraction]] = defaultdict(dict)
    for candidate, of_candidate in part.values.items():
        others = len(of_candidate) - 1
        total = sum(of_candidate.values())
        for expert, value in of_candidate.items():
            if others:
                units = (others + 1) * value - total
                found[expert][candidate] = Fraction(units, others * part.denominator)
    return found


def outlying(group: str, part: Part) -> list[OutlyingMark]:
    """Return the marks of a part whose residual exceeds three standard deviations of all the other residuals.

    The expectation leaves the mark itself out twice: mean of the others on the candidate, plus the mean difference of
    the expert to the others on the *other* candidates (0 where there are none). Compared squared, exactly.
    """
    differences = differences_of(part)
    residuals = {
        (expert, candidate): difference - _mean_elsewhere(of_expert, difference)
        for expert, of_expert in differences.items()
        for candidate, difference in of_expert.items()
    }
    count, scale = len(residuals), lcm(*{residual.denominator for residual in residuals.values()})
    units = {key: int(residual * scale) for key, residual in residuals.items()}
    squares = sum(unit * unit for unit in units.values())
    found = []
    for (expert, candidate), unit in units.items():
        rest = squares - unit * unit
        if unit * unit * (count - 1) > OUTLYING_DEVIATIONS**2 * rest:
            mark = fraction_of(part, part.values[candidate][expert])
            residual, others = residuals[expert, candidate], Fraction(rest, scale * scale * max(1, count - 1))
            found.append(_outlying_mark(group, part, (expert, candidate), mark, residual, others))
    return sorted(found, key=lambda each: (each.candidate, each.expert))


def _mean_elsewhere(of_expert: Mapping[str, Fraction], difference: Fraction) -> Fraction:
    others = len(of_expert) - 1
    return (sum(of_expert.values(), Fraction(0)) - difference) / others if others else Fraction(0)


def _outlying_mark(
    group: str, part: Part, key: tuple[str, str], mark: Fraction, residual: Fraction, variance: Fraction
) -> OutlyingMark:
    expert, candidate = key
    deviations = abs(residual) / square_root(variance) if variance else Fraction(0)
    return OutlyingMark(group, candidate, part.name, expert, mark, mark - residual, deviations)

"""Do experts mark candidates of their own channel or unit higher than others do? A permutation test, exact where small.

Called with what the platform knows of its experts; a published bundle does not tell where they belong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb, prod
from typing import Final

from services.shared.ranking.numbers import common_denominator
from services.shared.ranking.statistics.draws import Draws
from services.shared.ranking.statistics.experts import differences_of
from services.shared.ranking.statistics.source import Part

EXACT_ARRANGEMENTS_MAX: Final = 20_000
DRAWN_ARRANGEMENTS: Final = 9_999


@dataclass(frozen=True, slots=True)
class AffiliationTest:
    """The mean residual on own candidates less that on others', and how often chance gives as much or more.

    `arrangements` were all there are (`exact`), or were drawn from the seed.
    """

    own_sheets: int
    other_sheets: int
    difference: Fraction
    p_value: Fraction
    arrangements: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Expert:
    """One expert's residuals in whole units, those on own candidates first."""

    units: tuple[int, ...]
    own: int


def affiliation_test(part: Part, is_own: Callable[[str, str], bool], draws: Draws) -> AffiliationTest | None:
    """Test for preference, one-sided; `is_own(expert, candidate)` tells affiliation. None where nobody has any.

    The residual of a value is its difference to the mean of the other experts on the candidate, less the expert's mean
    difference. If affiliation does not matter, any of an expert's candidates could have been the own ones: with at most
    20,000 such arrangements all are counted, else 9,999 are drawn and p = (as extreme + 1) / (drawn + 1) (Phipson &
    Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010).
    """
    experts, scale = _experts(part, is_own)
    own = sum(expert.own for expert in experts)
    if not own:
        return None
    others = sum(len(expert.units) for expert in experts) - own
    observed = sum(sum(expert.units[: expert.own]) for expert in experts)
    total = sum(sum(expert.units) for expert in experts)
    extreme, arrangements, exact = _count_extreme(experts, observed, draws)
    return AffiliationTest(
        own_sheets=own,
        other_sheets=others,
        difference=(Fraction(observed, own) - Fraction(total - observed, others)) / scale,
        p_value=Fraction(extreme, arrangements),
        arrangements=arrangements,
        exact=exact,
    )


def _experts(part: Part, is_own: Callable[[str, str], bool]) -> tuple[list[_Expert], int]:
    """Return the experts who have own candidates and others, and the denominator of their units."""
    found: list[tuple[list[Fraction], int]] = []
    for expert, differences in sorted(differences_of(part).items()):
        mean = sum(differences.values(), Fraction(0)) / len(differences)
        ordered = sorted(differences, key=lambda candidate: (not is_own(expert, candidate), candidate))
        own = sum(is_own(expert, candidate) for candidate in ordered)
        if 0 < own < len(ordered):
            found.append(([differences[candidate] - mean for candidate in ordered], own))
    units, scale = common_denominator([residual for residuals, _ in found for residual in residuals])
    rest = iter(units)
    return [_Expert(tuple(next(rest) for _ in residuals), own) for residuals, own in found], scale


def _count_extreme(experts: Sequence[_Expert], observed: int, draws: Draws) -> tuple[int, int, bool]:
    arrangements = prod(comb(len(expert.units), expert.own) for expert in experts)
    if arrangements <= EXACT_ARRANGEMENTS_MAX:
        return sum(total >= observed for total in _all_sums(experts)), arrangements, True
    extreme = sum(_drawn_sum(experts, draws) >= observed for _ in range(DRAWN_ARRANGEMENTS))
    return extreme + 1, DRAWN_ARRANGEMENTS + 1, False


def _all_sums(experts: Sequence[_Expert]) -> Iterator[int]:
    per_expert = ([sum(chosen) for chosen in combinations(expert.units, expert.own)] for expert in experts)
    return (sum(sums) for sums in product(*per_expert))


def _drawn_sum(experts: Sequence[_Expert], draws: Draws) -> int:
    return sum(expert.units[position] for expert in experts for position in draws.sample(len(expert.units), expert.own))

"""From a panel's marks to one number: mean, trimmed mean, median, sum.

Works on whole numbers over a common denominator; says which marks were dropped and whether the fallback stepped in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.shared.ranking.model import Aggregate, Experts


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The unrounded aggregate; `dropped` are positions in the marks given, lowest first."""

    value: Fraction
    dropped: tuple[int, ...] = ()
    fell_back: bool = False


def aggregate(units: Sequence[int], denominator: int, rule: Experts) -> Aggregated:
    """Aggregate at least one mark as [experts] says; rank_points are summed.

    Only the trimmed mean asks for `panel_min` marks; with fewer it gives way to `fallback`.
    """
    if rule.aggregate != "trimmed_mean":
        return Aggregated(_plain(units, denominator, rule.aggregate))
    if len(units) < rule.panel_min:
        return Aggregated(_plain(units, denominator, rule.fallback), fell_back=True)
    order = sorted(range(len(units)), key=units.__getitem__)
    kept = order[rule.trim_low : len(order) - rule.trim_high]
    dropped = order[: rule.trim_low] + order[len(order) - rule.trim_high :]
    value = Fraction(sum(units[position] for position in kept), denominator * len(kept))
    return Aggregated(value, tuple(dropped))


def _plain(units: Sequence[int], denominator: int, how: Aggregate) -> Fraction:
    if how == "median":
        ordered, middle = sorted(units), len(units) // 2
        if len(units) % 2 == 1:
            return Fraction(ordered[middle], denominator)
        return Fraction(ordered[middle - 1] + ordered[middle], 2 * denominator)
    if how in ("sum", "rank_points"):
        return Fraction(sum(units), denominator)
    return Fraction(sum(units), denominator * len(units))

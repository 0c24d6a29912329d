"""Statistics of the comparison: medians over rounds, their spread, percentiles of latencies. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

Figures = Mapping[str, float]


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile: the smallest value that at least `share` (0 < share ≤ 1) of the values do not exceed."""
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values, and a share above 0 and not above 1")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def spread(values: Sequence[float]) -> dict[str, float]:
    """{median, min, max} of one figure over the rounds."""
    return {"median": rounded(median(values)), "min": rounded(min(values)), "max": rounded(max(values))}


def spreads(rounds: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Median and spread of every figure over the rounds that have it, in the order of first appearance."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: spread([figures[name] for figures in rounds if name in figures]) for name in names}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours ÷ theirs round by round: what slows the machine for a while slows both sides of one round."""
    return [own / other for own, other in zip(ours, theirs, strict=True) if other > 0]


def rounded(value: float) -> float:
    """Four significant digits: more would pretend."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, max(0, 3 - math.floor(math.log10(abs(value)))))

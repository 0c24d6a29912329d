"""Is a figure flat over a long run? Robust slopes, judged against stated bounds. Pure; called by `soak.py`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec


class Bound(msgspec.Struct, frozen=True):
    """How much a figure may grow over the run: `share` of its first value or `amount` of its unit, whichever is more.

    `highest`: no single value may lie above; 0: no such limit.
    """

    share: float = 0.0
    amount: float = 0.0
    highest: float = 0.0


class Trend(msgspec.Struct, frozen=True):
    """One figure over the slices that were judged: `growth` from `first` on, along the fitted line, in its unit."""

    name: str
    unit: str
    first: float
    highest: float
    growth: float
    growth_max: float
    highest_max: float
    flat: bool

    @property
    def sentence(self) -> str:
        """What was found, beside what may be."""
        limit = f", its highest {self.highest:.4g} (at most {self.highest_max:.4g})" if self.highest_max else ""
        return (
            f"{self.name}: {self.growth:+.4g} {self.unit} on {self.first:.4g} (at most {self.growth_max:+.4g}){limit}"
        )


def slope(values: Sequence[float]) -> float:
    """Growth per step: the median of the slopes of all pairs (Theil 1950, Sen 1968), which outliers hardly move."""
    if len(values) < 2:
        return 0.0
    pairs = [
        (values[later] - values[first]) / (later - first)
        for first in range(len(values))
        for later in range(first + 1, len(values))
    ]
    return median(pairs)


def judge(name: str, unit: str, values: Sequence[float], bound: Bound) -> Trend:
    """Whether these values, one per slice in order, stay within the bound; shrinking is fine. Needs one value."""
    growth, highest = slope(values) * (len(values) - 1), max(values)
    # Sen's line goes through the medians of both axes.
    first = median(values) - growth / 2
    growth_max = max(bound.share * max(0.0, first), bound.amount)
    flat = growth <= growth_max and (not bound.highest or highest <= bound.highest)
    return Trend(name, unit, first, highest, growth, growth_max, bound.highest, flat)

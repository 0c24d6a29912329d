"""How many people are there at which moment: four days that such votes really have, as curves. Pure.

Invariant: a share lies in 0…1, whatever the moment. Called by `locustfile.py` once a second and by `scene.py`, which
makes the round's window fit the shape.
"""

from __future__ import annotations

import math
from enum import StrEnum


class Shape(StrEnum):
    """The days; the value is what `--shape` takes."""

    OPENING = "opening"
    EVENING = "evening"
    LAST_MINUTE = "last_minute"
    SLOW_DAY = "slow_day"


# Voting opens after a tenth of an opening, and closes when nine tenths of a last minute are over.
OPENS_AT, CLOSES_AT = 0.1, 0.9
SECONDS = {Shape.OPENING: 180, Shape.EVENING: 300, Shape.LAST_MINUTE: 180, Shape.SLOW_DAY: 600}


def share_at(shape: Shape, progress: float) -> float:
    """Share of the most people there ever are, when `progress` (0…1) of the run is over; 0 before and after."""
    if not 0 <= progress < 1:
        return 0.0
    match shape:
        case Shape.OPENING:
            return _opening(progress)
        case Shape.EVENING:
            return 0.2 + 0.8 * math.exp(-(((progress - 0.6) / 0.18) ** 2))
        case Shape.LAST_MINUTE:
            return _last_minute(progress)
        case Shape.SLOW_DAY:
            # Noon and evening, and never nobody.
            return 0.2 + 0.2 * math.sin(2 * math.pi * progress) ** 2


def _opening(progress: float) -> float:
    """A quarter waits for the opening; then everybody comes, and half of them are gone by the middle."""
    if progress < OPENS_AT:
        return 0.25
    return 1.0 if progress < 0.35 else max(0.2, math.exp(-(progress - 0.35) / 0.2))


def _last_minute(progress: float) -> float:
    """Calm, then more and more until it closes; some try on after that."""
    if progress < 0.4:
        return 0.3
    if progress < CLOSES_AT:
        return 0.3 + 0.7 * (progress - 0.4) / (CLOSES_AT - 0.4)
    return 1.0 if progress < 0.95 else 0.2


def people_at(shape: Shape, progress: float, people_max: int) -> int:
    """The same as a number of people, at least one while the run lasts."""
    return max(1, round(share_at(shape, progress) * people_max)) if 0 <= progress < 1 else 0


def window(shape: Shape, starts_at: float, seconds: float) -> tuple[float, float]:
    """(opens, closes) of the vote in whole seconds since 1970, for a run from `starts_at` on.

    Where the shape has no edge in it the window is open before the first person comes and long after the last left.
    """
    opens = starts_at + OPENS_AT * seconds if shape is Shape.OPENING else starts_at - 1
    closes = starts_at + (CLOSES_AT * seconds if shape is Shape.LAST_MINUTE else seconds + 60)
    return float(int(opens)), float(int(closes))

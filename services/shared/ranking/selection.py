"""Who is selected and who is in reserve, from places and totals."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from services.shared.ranking.model import Selection

Outcome = Literal["selected", "reserve", ""]


def select(places: Sequence[int], totals: Sequence[Fraction], count: int, rule: Selection) -> list[Outcome]:
    """Return the outcome of each candidate of one group, given best first with its place and total.

    `count` is the number of places of the group. Candidates who share a place share the outcome; a total below the
    floor has none.
    """
    eligible = len(totals) if rule.floor is None else sum(total >= rule.floor for total in totals)
    outcomes: list[Outcome] = [""] * len(places)
    reserve_end = count + rule.reserve
    for first, end in _shared(places[:eligible]):
        outcome: Outcome = ""
        if end <= count:
            outcome = "selected"
        elif first < count and rule.tie_at_cut == "include":
            outcome = "selected"
            reserve_end = end + rule.reserve  # the reserve is counted from whoever was the last selected
        elif end <= reserve_end:
            outcome = "reserve"
        outcomes[first:end] = [outcome] * (end - first)
    return outcomes


def _shared(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return the spans of equal places as half-open positions."""
    spans: list[tuple[int, int]] = []
    for position, place in enumerate(places):
        if spans and places[spans[-1][0]] == place:
            spans[-1] = (spans[-1][0], position + 1)
        else:
            spans.append((position, position + 1))
    return spans

"""How much work a code costs: suspicion raises the difficulty of the challenge and never refuses a person. Pure.

Judged by codes that were asked for and not proven, so that somebody who signs in, or has voted, costs nobody anything.
"""

from __future__ import annotations

import msgspec


class Asks(msgspec.Struct, frozen=True):
    """Lately: of the number (by this route, in an hour) and of its ten thousand neighbours (in ten minutes).

    `near_waiting` are younger than a minute: most of them are people who are just reading their message.
    """

    number_unproven: int
    number_failures: int
    near_asked: int
    near_unproven: int
    near_waiting: int


class Allowances(msgspec.Struct, frozen=True):
    """What is free of suspicion."""

    number_free: int
    failures_free: int
    prefix_free: int
    level_max: int


# So many times the free number of neighbours may wait for their code at once, as when voting opens.
_WAITING_FACTOR = 20


def level(asks: Asks, allowances: Allowances) -> int:
    """0 for almost everybody; each level doubles the work.

    One level per code that a number did not prove beyond the free ones; one per doubling of wrong codes; one per
    doubling of a burst of neighbours most of which never complete.
    """
    of_number = max(0, asks.number_unproven - allowances.number_free + 1)
    of_failures = _doublings(asks.number_failures, allowances.failures_free)
    incomplete = asks.near_unproven if 2 * asks.near_unproven > asks.near_asked else 0
    of_burst = max(
        _doublings(incomplete, allowances.prefix_free),
        _doublings(asks.near_waiting, allowances.prefix_free * _WAITING_FACTOR),
    )
    return min(max(of_number, of_failures, of_burst), allowances.level_max)


def _doublings(count: int, free: int) -> int:
    """0 below `free`, 1 from there, 2 from twice as many, 3 from four times."""
    return (count // free).bit_length()

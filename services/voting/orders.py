"""The 64 published orders of candidates, balanced so that no place on the page is anybody's for long.

Orders 2k and 2k+1 are the drawn order rotated by k/32 of its length, forwards and backwards: every candidate stands in
every region of the page about equally often, and a neighbour precedes as often as it follows.
"""

from __future__ import annotations

ORDERS = 64


def balanced_orders(count: int) -> tuple[tuple[int, ...], ...]:
    """64 permutations of 0 … count−1 (positions in the order drawn by lot)."""
    orders: list[tuple[int, ...]] = []
    for k in range(ORDERS // 2):
        start = k * count // (ORDERS // 2)
        forwards = tuple((start + place) % count for place in range(count))
        orders += [forwards, tuple(reversed(forwards))]
    return tuple(orders)

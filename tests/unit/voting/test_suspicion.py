"""Suspicion makes work, in steps, and only for what does not complete."""

from __future__ import annotations

import pytest

from services.voting.suspicion import Allowances, Asks, level

ALLOWANCES = Allowances(number_free=3, failures_free=10, prefix_free=20, level_max=6)


def asks(number: int = 0, failures: int = 0, near: int = 0, unproven: int = 0, waiting: int = 0) -> Asks:
    return Asks(number, failures, near, unproven, waiting)


@pytest.mark.parametrize(("unproven", "expected"), [(0, 0), (2, 0), (3, 1), (4, 2), (7, 5), (8, 6), (500, 6)])
def test_each_unproven_code_of_a_number_beyond_the_free_ones_doubles_the_work(unproven: int, expected: int) -> None:
    assert level(asks(number=unproven), ALLOWANCES) == expected


@pytest.mark.parametrize(("failures", "expected"), [(9, 0), (10, 1), (20, 2), (39, 2), (40, 3)])
def test_wrong_codes_raise_the_level_by_doublings(failures: int, expected: int) -> None:
    assert level(asks(failures=failures), ALLOWANCES) == expected


@pytest.mark.parametrize(("near", "unproven", "expected"), [(20, 19, 0), (20, 20, 1), (60, 40, 2), (100, 80, 3)])
def test_a_burst_of_neighbours_that_never_complete_raises_the_level(near: int, unproven: int, expected: int) -> None:
    assert level(asks(near=near, unproven=unproven), ALLOWANCES) == expected


def test_neighbours_most_of_whom_complete_are_a_village_not_an_attack() -> None:
    assert level(asks(near=4000, unproven=2000), ALLOWANCES) == 0


def test_many_may_wait_for_their_message_when_voting_opens() -> None:
    assert level(asks(waiting=399), ALLOWANCES) == 0
    assert level(asks(waiting=400), ALLOWANCES) == 1

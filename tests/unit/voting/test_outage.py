"""The outage rule as a pure function: which minutes failed, when they extend the window, and that none counts twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from services.shared.ranking.model import Outage as Rule
from services.voting.outage import MINUTE, Extension, Failure, Minute, Window, find_failure

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULE = Rule(success_below=Fraction(9, 10), for_minutes=10, within_last_hours=2, extend_minutes=120)
WINDOW = Window(opens=NOON - timedelta(hours=8), closes=NOON, watched_from=NOON - timedelta(days=9))
GOOD = Minute(answered=100)
BAD = Minute(answered=80, failed=20)
AFTER = NOON + timedelta(minutes=5)


def minutes(
    failing: Iterable[int], failed: Minute | None = BAD, good: Minute = GOOD, until: datetime = NOON
) -> dict[datetime, Minute]:
    """The eight hours before `until`, good but for the minutes that stand `failing` minutes before noon."""
    wanted = {NOON - back * MINUTE for back in failing}
    start = NOON - timedelta(hours=8)
    every = (start + k * MINUTE for k in range(int((until - start) / MINUTE)))
    filled = {minute: failed if minute in wanted else good for minute in every}
    return {minute: seen for minute, seen in filled.items() if seen is not None}


def at(back: int) -> datetime:
    return NOON - back * MINUTE


def test_ten_failed_minutes_in_a_row_extend_the_window() -> None:
    assert find_failure(RULE, WINDOW, minutes(range(21, 31)), AFTER) == Failure(at(30), at(20))


@pytest.mark.parametrize("failing", [range(21, 30), [*range(21, 27), *range(28, 33)]])
def test_nine_minutes_or_a_good_one_between_do_not(failing: Iterable[int]) -> None:
    assert find_failure(RULE, WINDOW, minutes(failing), AFTER) is None


def test_a_missing_minute_failed() -> None:
    assert find_failure(RULE, WINDOW, minutes(range(21, 31), None), AFTER) == Failure(at(30), at(20))


def test_a_minute_in_which_nobody_asked_failed_nobody() -> None:
    assert find_failure(RULE, WINDOW, minutes(range(21, 31), Minute()), AFTER) is None


@pytest.mark.parametrize(
    ("seen", "fails"),
    [
        (Minute(answered=90, failed=10), False),
        (Minute(answered=899, failed=101), True),
        (Minute(answered=1000, codes_sent=8, codes_unsent=2), True),
        (Minute(answered=1000, codes_sent=9, codes_unsent=1), False),
        (Minute(failed=1), True),
    ],
)
def test_people_and_codes_each_have_their_share(seen: Minute, fails: bool) -> None:
    assert (find_failure(RULE, WINDOW, minutes(range(21, 31), seen), AFTER) is not None) is fails


def test_only_the_last_hours_of_the_window_count() -> None:
    assert find_failure(RULE, WINDOW, minutes(range(121, 161)), AFTER) is None
    assert find_failure(RULE, WINDOW, minutes(range(116, 126)), AFTER) is None
    assert find_failure(RULE, WINDOW, minutes(range(111, 121)), AFTER) == Failure(at(120), at(110))


@pytest.mark.parametrize(
    "change",
    [
        lambda: Window(opens=at(25), closes=NOON, watched_from=WINDOW.watched_from),
        lambda: Window(opens=WINDOW.opens, closes=NOON, watched_from=at(25)),
        lambda: Window(opens=WINDOW.opens, closes=at(25), watched_from=WINDOW.watched_from),
    ],
)
def test_minutes_outside_the_window_or_before_anybody_watched_do_not_count(change: Callable[[], Window]) -> None:
    assert find_failure(RULE, change(), minutes(range(21, 31)), AFTER) is None


def test_half_a_minute_at_an_edge_is_nobodys() -> None:
    edge = Window(opens=at(30) + timedelta(seconds=1), closes=NOON, watched_from=WINDOW.watched_from)
    assert find_failure(RULE, edge, minutes(range(21, 31)), AFTER) is None


def test_a_minute_is_judged_ten_seconds_after_its_end() -> None:
    failing = minutes(range(1, 11))
    assert find_failure(RULE, WINDOW, failing, NOON + timedelta(seconds=9)) is None
    assert find_failure(RULE, WINDOW, failing, NOON + timedelta(seconds=10)) == Failure(at(10), NOON)


def _extended(since: int, until: int) -> Window:
    newest = Extension(1, NOON, NOON + timedelta(hours=2), at(since), at(until), at(until))
    return Window(WINDOW.opens, newest.closes, WINDOW.watched_from, newest)


LATER = NOON + timedelta(hours=2, minutes=5)


@pytest.mark.parametrize("failing", [range(21, 31), range(1, 31), range(-8, 31)])
def test_the_same_outage_extends_once_while_it_takes_nothing_of_the_added_time(failing: range) -> None:
    seen = minutes(failing, until=NOON + timedelta(hours=2))
    # Minutes 0 … −8 begin at noon or later: nine of the added time, one too few.
    rule = Rule(Fraction(9, 10), 10, within_last_hours=4, extend_minutes=120)
    assert find_failure(rule, _extended(30, 20), seen, LATER) is None


def test_an_outage_that_takes_ten_minutes_of_the_added_time_extends_again() -> None:
    seen = minutes(range(-9, 31), until=NOON + timedelta(hours=2))
    assert find_failure(RULE, _extended(30, 20), seen, LATER) == Failure(NOON, NOON + timedelta(minutes=10))


def test_another_outage_extends_again() -> None:
    seen = minutes([*range(21, 31), *range(1, 11)], until=NOON + timedelta(hours=2))
    rule = Rule(Fraction(9, 10), 10, within_last_hours=3, extend_minutes=120)
    assert find_failure(rule, _extended(30, 20), seen, LATER) == Failure(at(10), NOON)
    # In the last two hours of the longer window it no longer lies.
    assert find_failure(RULE, _extended(30, 20), seen, LATER) is None


@pytest.mark.parametrize(("for_minutes", "extend_minutes"), [(0, 120), (10, 0)])
def test_a_rule_without_minutes_extends_nothing(for_minutes: int, extend_minutes: int) -> None:
    rule = Rule(Fraction(9, 10), for_minutes, 2, extend_minutes)
    assert find_failure(rule, WINDOW, minutes(range(21, 61)), AFTER) is None

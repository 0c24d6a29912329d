"""Due dates of reviews: the official calendar, and the days that stand still while completion is awaited."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from services.registry.calendar.days import UploadedYear, WorkingCalendar
from services.registry.reviews.deadlines import Pause, end_of_day, last_day_of, review_due

PUBLISHED = WorkingCalendar({})
DEADLINE = date(2020, 9, 30)


def test_the_review_of_2020_was_due_after_the_holiday() -> None:
    due = review_due(PUBLISHED, DEADLINE, 5, None, DEADLINE)
    assert (due.due_on, due.days_left, due.provisional, due.paused) == (date(2020, 10, 14), 5, False, False)


@pytest.mark.parametrize(
    ("pause", "due_on"),
    [
        (Pause(date(2020, 10, 9), date(2020, 10, 9)), date(2020, 10, 14)),  # answered the same day: no day stood still
        (Pause(date(2020, 10, 9), date(2020, 10, 10)), date(2020, 10, 15)),  # the worked Saturday stood still
        (Pause(date(2020, 10, 10), date(2020, 10, 11)), date(2020, 10, 14)),  # a Sunday never counted
        (Pause(date(2020, 10, 12), date(2020, 10, 14)), date(2020, 10, 16)),
    ],
)
def test_days_of_completion_do_not_count(pause: Pause, due_on: date) -> None:
    assert review_due(PUBLISHED, DEADLINE, 5, pause, DEADLINE).due_on == due_on


def test_while_completion_is_awaited_the_days_left_stay() -> None:
    pause = Pause(date(2020, 10, 9), None)
    seen = [review_due(PUBLISHED, DEADLINE, 5, pause, date(2020, 10, day)) for day in (9, 12, 15)]
    assert [each.days_left for each in seen] == [4, 4, 4]
    assert [each.due_on for each in seen] == [date(2020, 10, 14), date(2020, 10, 16), date(2020, 10, 21)]
    assert all(each.paused for each in seen)


def test_overdue_counts_down_below_zero_and_an_unpublished_year_is_provisional() -> None:
    assert review_due(PUBLISHED, DEADLINE, 5, None, date(2020, 10, 16)).days_left == -2
    assert review_due(PUBLISHED, date(2099, 1, 5), 5, None, date(2099, 1, 5)).provisional


def test_a_calendar_uploaded_later_moves_what_is_open() -> None:
    off = frozenset({date(2020, 10, 9)})
    calendar = WorkingCalendar({2020: UploadedYear(1, "国办发明电", off | _golden_week(), frozenset())})
    assert review_due(calendar, DEADLINE, 5, None, DEADLINE).due_on == date(2020, 10, 16)


def _golden_week() -> frozenset[date]:
    return frozenset(date(2020, 10, day) for day in (1, 2, 5, 6, 7, 8))


def test_a_window_that_closes_at_midnight_ended_the_day_before() -> None:
    assert last_day_of(datetime.fromisoformat("2020-10-01T00:00:00+08:00"), "Asia/Shanghai") == DEADLINE
    assert last_day_of(datetime.fromisoformat("2020-10-12T18:00:00+08:00"), "Asia/Shanghai") == date(2020, 10, 12)
    assert end_of_day(DEADLINE, "Asia/Shanghai") == datetime.fromisoformat("2020-10-01T00:00:00+08:00")

"""Working days by uploaded calendars, checked against counting by hand."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.registry.calendar.days import Source, UploadedYear, WorkingCalendar

DAYS = st.dates(date(2098, 6, 1), date(2100, 6, 1))
NOBODYS = WorkingCalendar({})


def uploaded(off: set[date], worked: set[date]) -> WorkingCalendar:
    return WorkingCalendar({2099: UploadedYear(1, "号", frozenset(off), frozenset(worked))})


@given(DAYS, st.integers(1, 60), st.sets(DAYS, max_size=20), st.sets(DAYS, max_size=20))
def test_the_nth_working_day_has_n_working_days_up_to_it(
    start: date, days: int, off: set[date], worked: set[date]
) -> None:
    calendar = uploaded({day for day in off if day.weekday() < 5}, {day for day in worked if day.weekday() >= 5})
    due, _ = calendar.working_day_after(start, days)
    assert calendar.is_working_day(due)[0]
    between = [start + timedelta(days=k) for k in range(1, (due - start).days + 1)]
    assert sum(calendar.is_working_day(day)[0] for day in between) == days
    assert calendar.working_days_left(start, due) == days
    assert calendar.working_days_left(due, start) == -days


def test_a_due_date_is_provisional_when_any_day_on_its_way_is() -> None:
    calendar = uploaded(set(), set())
    assert calendar.working_day_after(date(2099, 12, 28), 2) == (date(2099, 12, 30), False)
    assert calendar.working_day_after(date(2099, 12, 30), 3)[1]
    assert NOBODYS.source(2099) is Source.PROVISIONAL
    assert NOBODYS.source(2020) is Source.PUBLISHED


def test_the_exceptions_of_a_published_year_are_those_of_the_notice() -> None:
    off, worked = NOBODYS.exceptions(2020)
    assert date(2020, 10, 8) in off
    assert worked == [date(2020, 1, 19), date(2020, 4, 26), date(2020, 5, 9), date(2020, 6, 28), date(2020, 9, 27),
                      date(2020, 10, 10)]  # fmt: skip

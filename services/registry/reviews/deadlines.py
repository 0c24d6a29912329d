"""How long a review may take: working days by the official calendar, standing still while completion is awaited. Pure.

The days run from the day on which recommendation closed (the last day that was inside its window); a call of 2020-09-30
with five working days is due on 2020-10-14, since the holiday lasts to 10-08 and Saturday 10-10 is worked.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.registry.calendar.days import WorkingCalendar
from services.shared.clock import day_in


@dataclass(frozen=True, slots=True)
class Pause:
    """Days that do not count: after `from_on`, up to and including `until_on` (None: it still lasts)."""

    from_on: date
    until_on: date | None


@dataclass(frozen=True, slots=True)
class Due:
    """When it is due, working days left (negative: overdue), and whether a year's calendar is still provisional."""

    due_on: date
    days_left: int
    provisional: bool
    paused: bool


def review_due(calendar: WorkingCalendar, started_on: date, working_days: int, pause: Pause | None, today: date) -> Due:
    """The due date of a review; while the pause lasts, as if completion came today, so that it moves with every day."""
    paused = pause is not None and pause.until_on is None
    until = (pause.until_on or today) if pause else None
    day, left, unsure = started_on, working_days, False
    while left > 0:
        day += timedelta(days=1)
        works, provisional = calendar.is_working_day(day)
        unsure = unsure or provisional
        if pause is not None and until is not None and pause.from_on < day <= until:
            continue
        left -= works
    return Due(day, calendar.working_days_left(today, day), unsure, paused)


def last_day_of(closes_at: datetime, timezone: str) -> date:
    """The last local day inside a half-open window: one that closes at midnight ended the day before."""
    return day_in(closes_at - timedelta(microseconds=1), timezone)


def end_of_day(day: date, timezone: str) -> datetime:
    """The midnight after a local day, in UTC terms of that zone."""
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(timezone))

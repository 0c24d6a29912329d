"""Time: the worker's clock corrected to PostgreSQL's, and Chinese working days.

Windows are decided by the server's receive time. A worker whose clock is more than a second off is not ready;
below that the measured offset is added. Working days follow the State Council's calendar, compensation days
included; a year not yet published is provisional (Monday to Friday).
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

from services.shared.postgres import Pool

OFFSET_MAX_S = 1.0


class Clock:
    """Receive time in UTC, corrected by the last measured offset to PostgreSQL."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self.measured = False

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset_s, UTC)

    def timestamp(self) -> float:
        """Seconds since the epoch, corrected."""
        return time.time() + self.offset_s

    async def measure(self, pool: Pool) -> float:
        """Compare with PostgreSQL's clock; half of the round trip is the uncertainty. Returns the offset in s."""
        before = time.time()
        theirs: datetime = await pool.fetchval("SELECT clock_timestamp()")
        after = time.time()
        self.offset_s = theirs.timestamp() - (before + after) / 2
        self.measured = True
        return self.offset_s

    @property
    def trustworthy(self) -> bool:
        return self.measured and abs(self.offset_s) <= OFFSET_MAX_S


def day_in(moment: datetime, timezone: str) -> date:
    """The day that a moment falls on where the clocks show `timezone` (an IANA name)."""
    return moment.astimezone(ZoneInfo(timezone)).date()


def is_working_day(day: date) -> tuple[bool, bool]:
    """(is it a working day, is that provisional because the year's calendar is not published yet)."""
    try:
        return chinese_calendar.is_workday(day), False
    except NotImplementedError:
        return day.weekday() < 5, True


def add_working_days(start: date, days: int) -> date:
    """The `days`-th working day after `start` (the day itself does not count).

    Five working days after 2020-09-30 are 2020-10-14: the holiday lasts to 10-08 and Saturday 10-10 is worked.
    """
    day = start
    while days > 0:
        day += timedelta(days=1)
        if is_working_day(day)[0]:
            days -= 1
    return day

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

from services.shared.metrics import clock_offset_seconds
from services.shared.postgres import Pool

# A clock that was set makes its service unready until the next measurement has found it right.
MEASURED_EVERY_S = 5.0
OFFSET_MAX_S = 1.0
UNCERTAINTY_MAX_S = 0.1


class Clock:
    """Receive time in UTC, corrected by the last measured offset to PostgreSQL.

    Between two measurements the monotonic clock counts: a machine whose time is set meanwhile neither opens nor closes
    a window by that, and is not trustworthy until the next measurement has found it right.
    """

    def __init__(self) -> None:
        self.offset_s = 0.0
        self.measured = False
        self._anchor_s = _wall_minus_monotonic_s()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """Seconds since the epoch, corrected."""
        return time.monotonic() + self._anchor_s + self.offset_s

    async def measure(self, pool: Pool) -> float:
        """Compare with PostgreSQL's clock; half of the round trip is the uncertainty. Returns the offset in s."""
        before = time.monotonic()
        theirs: datetime = await pool.fetchval("SELECT clock_timestamp()")
        after = time.monotonic()
        latest, earliest = theirs.timestamp() - before, theirs.timestamp() - after
        corrected_s = (latest + earliest) / 2
        if self.measured and (after - before) / 2 > UNCERTAINTY_MAX_S:
            # A slow answer tells between which bounds the truth lies; what was known better stays as far as it fits.
            corrected_s = min(max(self._anchor_s + self.offset_s, earliest), latest)
        self._anchor_s = _wall_minus_monotonic_s()
        self.offset_s = corrected_s - self._anchor_s
        self.measured = True
        clock_offset_seconds.set(self.offset_s)
        return self.offset_s

    @property
    def trustworthy(self) -> bool:
        stepped_s = _wall_minus_monotonic_s() - self._anchor_s
        return self.measured and abs(self.offset_s) <= OFFSET_MAX_S and abs(stepped_s) <= OFFSET_MAX_S


def _wall_minus_monotonic_s() -> float:
    return time.time() - time.monotonic()


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

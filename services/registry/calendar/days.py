"""Working days by the official calendar; pure. Called by every subject that has a due date, through `store.py`.

Invariant: a due date is looked up at read time from its start, so that a calendar uploaded later moves what is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from services.registry.reasons import RegistryReason
from services.shared import clock
from services.shared.errors import Refusal

SATURDAY = 5
_DOCUMENT_MAX = 200


class Source(StrEnum):
    """Where a year's days come from: the office, the State Council's publication, or nobody yet."""

    UPLOADED = "uploaded"
    PUBLISHED = "published"
    PROVISIONAL = "provisional"


class NewYear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /calendar/{year}`; `version` is the one that was read, 0 where none was uploaded yet."""

    version: int
    document: str
    days_off: list[date]
    days_worked: list[date]


@dataclass(frozen=True, slots=True)
class UploadedYear:
    """One year as the office uploaded it: weekdays off, and days of a weekend that are worked."""

    version: int
    document: str
    days_off: frozenset[date]
    days_worked: frozenset[date]


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """All uploaded years; what they lack is asked of the published calendar."""

    years: Mapping[int, UploadedYear]

    def is_working_day(self, day: date) -> tuple[bool, bool]:
        """(is it a working day, is that provisional because nobody published that year yet)."""
        year = self.years.get(day.year)
        if year is None:
            return clock.is_working_day(day)
        return day in year.days_worked or (day.weekday() < SATURDAY and day not in year.days_off), False

    def working_day_after(self, start: date, days: int) -> tuple[date, bool]:
        """(the `days`-th working day after `start`, is it provisional); `start` itself does not count."""
        day, provisional, left = start, False, days
        while left > 0:
            day += timedelta(days=1)
            works, unsure = self.is_working_day(day)
            provisional = provisional or unsure
            left -= works
        return day, provisional

    def working_days_left(self, today: date, due: date) -> int:
        """Working days after `today` up to and including `due`; negative where `due` has passed."""
        if due < today:
            return -self.working_days_left(due, today)
        span = (today + timedelta(days=k) for k in range(1, (due - today).days + 1))
        return sum(self.is_working_day(day)[0] for day in span)

    def source(self, year: int) -> Source:
        """Where the days of `year` come from."""
        if year in self.years:
            return Source.UPLOADED
        return Source.PROVISIONAL if clock.is_working_day(date(year, 7, 1))[1] else Source.PUBLISHED

    def exceptions(self, year: int) -> tuple[list[date], list[date]]:
        """(weekdays off, weekend days worked) of a year, in order."""
        days = [date(year, 1, 1) + timedelta(days=k) for k in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]
        works = {day: self.is_working_day(day)[0] for day in days}
        off = [day for day in days if day.weekday() < SATURDAY and not works[day]]
        return off, [day for day in days if day.weekday() >= SATURDAY and works[day]]


def checked(year: int, wanted: NewYear) -> NewYear:
    """The year as it is to be stored; raises Refusal `bad_calendar` saying which day is wrong."""
    if mistake := _mistake(year, wanted):
        raise Refusal(RegistryReason.BAD_CALENDAR, mistake)
    return NewYear(wanted.version, wanted.document.strip(), sorted(wanted.days_off), sorted(wanted.days_worked))


def _mistake(year: int, wanted: NewYear) -> str:
    document = wanted.document.strip()
    if not document or len(document) > _DOCUMENT_MAX or not document.isprintable():
        return "document is missing; give the number of the State Council's notice, on one line"
    for key, days, weekend in (("days_off", wanted.days_off, False), ("days_worked", wanted.days_worked, True)):
        if len(set(days)) != len(days):
            return f"{key} names a day twice; name each once"
        for day in days:
            if day.year != year:
                return f"{key}: {day} does not lie in {year}; every day must"
            if (day.weekday() >= SATURDAY) is not weekend:
                named = "a weekend day" if not weekend else "a weekday"
                return f"{key}: {day} is {named}; days_off are weekdays, days_worked are days of a weekend"
    return ""

"""A list (名单) from a published ranking, and the objection window of its notice. Pure."""

import io
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.registry.calendar.days import WorkingCalendar
from services.shared.ranking.csv_files import read_rows

COLUMNS = ("group", "place", "candidate", "total", "vote_points", "expert_points", "tie_break", "outcome")
LISTED = ("selected", "reserve")
_PUBLISHED_CALENDAR = WorkingCalendar({})


class Entry(msgspec.Struct, frozen=True):
    """One line of a list; `outcome` is `selected`, `reserve`, or empty where the rules select nobody.

    `level` is the one a re-check gave it; empty where it is the candidate's own.
    """

    group: str
    place: int | None
    candidate: str
    total: str
    outcome: str
    level: str = ""


class ObjectionWindow(msgspec.Struct, frozen=True):
    """Half-open; `provisional` while the State Council has not published a year's calendar."""

    opens_at: datetime
    closes_at: datetime
    provisional: bool


def entries_of(ranking_csv: str, selects: bool) -> list[Entry]:
    """The lines of a list in the ranking's order: who is selected or in reserve, or all where the rules select nobody.

    Raises InputError when the text is no ranking.csv.
    """
    entries = []
    for _, row in read_rows(io.BytesIO(ranking_csv.encode()), "ranking.csv", COLUMNS):
        group, place, candidate, total, _, _, _, outcome = row
        if outcome in LISTED or not selects:
            entries.append(Entry(group, int(place) if place else None, candidate, total, outcome))
    return entries


def objection_window(
    published_at: datetime, working_days: int, timezone: str, calendar: WorkingCalendar = _PUBLISHED_CALENDAR
) -> ObjectionWindow:
    """From the day after publication to the end of the `working_days`-th working day, local midnights."""
    zone = ZoneInfo(timezone)
    day = published_at.astimezone(zone).date()
    last = max(calendar.working_day_after(day, working_days)[0], day + timedelta(days=1))
    counted = [day + timedelta(days=number) for number in range((last - day).days + 1)]
    return ObjectionWindow(
        _midnight(day + timedelta(days=1), zone),
        _midnight(last + timedelta(days=1), zone),
        any(calendar.is_working_day(each)[1] for each in counted),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)

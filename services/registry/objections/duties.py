"""When an objection is to be answered, and the gauges of what waits. Due dates are looked up when they are read."""

from datetime import date, datetime

import msgspec

from services.registry import metrics
from services.registry.calendar import store as calendars
from services.registry.calendar.days import WorkingCalendar
from services.registry.objections import store
from services.registry.objections.rules import ObjectionState
from services.registry.objections.store import Objection
from services.shared.clock import day_in
from services.shared.postgres import Pool


class Due(msgspec.Struct, frozen=True):
    """`days_left` counts working days after today; negative where it is late, None where it is answered."""

    due_on: date
    days_left: int | None
    overdue: bool


def due(found: Objection, calendar: WorkingCalendar, now: datetime) -> Due:
    """By when it is to be answered: so many working days after the day it was received."""
    due_on = calendar.working_day_after(found.received_on, found.reply_days)[0]
    if found.answered_at is not None:
        return Due(due_on, None, False)
    today = day_in(now, found.timezone)
    return Due(due_on, calendar.working_days_left(today, due_on), today > due_on)


async def measure_once(pool: Pool, now: datetime) -> int:
    """Set the gauges; run by the elected worker."""
    counts, calendar = await store.counts(pool), await calendars.load(pool)
    for state in ObjectionState:
        metrics.objections.labels(state.value).set(counts.get(state.value, 0))
    late = [
        1
        for received_on, days, timezone in await store.open_dates(pool)
        if day_in(now, timezone) > calendar.working_day_after(received_on, days)[0]
    ]
    metrics.objections_overdue.set(len(late))
    return 0

"""Where a call or a round stands, for the administrators' pages and the daily report: reads the stores, tells steps."""

from collections import Counter
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.registry.calendar import store as calendars
from services.registry.calendar.days import WorkingCalendar
from services.registry.calls.store import Call
from services.registry.lists import store as lists
from services.registry.objections import store as objections
from services.registry.reviews import store as reviews
from services.registry.reviews.deadlines import end_of_day, review_due
from services.registry.rounds import overview_store as store
from services.registry.rounds.steps import Facts, Span, Step, steps
from services.registry.rounds.views import Round
from services.shared.clock import day_in
from services.shared.postgres import Pool
from services.shared.ranking.rules import parse_rules

_REVIEWS_MAX = 5000
_UNDECIDED = ("recommended", "in_review", "completion")


class Late(msgspec.Struct, frozen=True):
    """Something that is past its day: what (`review`, `recommendation`, `objection`), of which call or round."""

    kind: str
    round: str
    title: str
    count: int


async def of_round(pool: Pool, round_: Round, now: datetime) -> list[Step]:
    """The eleven steps of a frozen round."""
    rules = parse_rules(round_.rules.encode())
    known = await lists.versions(pool, round_.round)
    projects, settled, granted = await store.projects(pool, round_.round)
    calendar = await calendars.load(pool)
    waiting = await store.open_objections(pool, round_.round)
    facts = Facts(
        windows=_windows(round_), frozen=True,
        votes_count=rules.combination.votes > 0, experts_count=rules.combination.experts > 0,
        ranked=bool(known), notice_closes=max((each.objections_close_at for each in known), default=None),
        unsettled_objections=await objections.unsettled(pool, round_.round),
        overdue_objections=sum(_is_overdue(each, calendar, now) for each in waiting),
        confirmed_at=known[0].confirmed_at if known else None,
        projects=projects, settled=settled, granted=granted,
    )  # fmt: skip
    return steps(facts, now)


def _windows(round_: Round) -> dict[str, Span]:
    spans = {name: Span(each["opens"], each["closes"]) for name, each in round_.windows().items()}
    if "voting" in spans:
        spans["voting"] = Span(spans["voting"].opens, round_.voting_ends_at)
    return spans


async def of_call(pool: Pool, call: Call, windows: dict[str, dict[str, datetime]], now: datetime) -> list[Step]:
    """The steps of a call that is not frozen yet."""
    stages = await store.stages(pool, call.call)
    facts = Facts(
        windows={name: Span(each["opens"], each["closes"]) for name, each in windows.items()},
        announced=call.state != "draft",
        unsent_channels=len(await store.unsent_channels(pool, call.call)),
        undecided=sum(stages.get(stage, 0) for stage in _UNDECIDED),
        review_due=await _first_due(pool, call, now),
    )  # fmt: skip
    return steps(facts, now)


async def _first_due(pool: Pool, call: Call, now: datetime) -> datetime | None:
    """The end of the day on which the first open review of a call is due; None where none is open or all are paused."""
    calendar, today = await calendars.load(pool), day_in(now, call.timezone)
    found = [each for each in await reviews.open_reviews(pool, _REVIEWS_MAX) if each.call == call.call]
    dues = [review_due(calendar, each.started_on, each.working_days, each.pause, today) for each in found]
    days = [each.due_on for each in dues if not each.paused]
    return end_of_day(min(days), call.timezone) if days else None


async def late(pool: Pool, now: datetime) -> list[Late]:
    """Everything of every call and round that is past its day."""
    calendar = await calendars.load(pool)
    found = [
        Late("recommendation", row["call"], row["title"], row["count"]) for row in await store.late_calls(pool, now)
    ]
    return [*found, *await _late_reviews(pool, calendar, now), *await _late_objections(pool, calendar, now)]


async def _late_reviews(pool: Pool, calendar: WorkingCalendar, now: datetime) -> list[Late]:
    counted: Counter[str] = Counter()
    for review in await reviews.open_reviews(pool, _REVIEWS_MAX):
        due = review_due(
            calendar, review.started_on, review.working_days, review.pause, day_in(now, review.timezone)
        )  # fmt: skip
        counted[review.call] += not due.paused and due.days_left < 0
    return [Late("review", call, call, count) for call, count in sorted(counted.items()) if count]


async def _late_objections(pool: Pool, calendar: WorkingCalendar, now: datetime) -> list[Late]:
    counted: Counter[tuple[str, str]] = Counter()
    for row in await store.open_objections(pool):
        counted[row["round"], row["title"]] += _is_overdue(row, calendar, now)
    return [Late("objection", *key, count) for key, count in sorted(counted.items()) if count]


def _is_overdue(row: dict[str, Any], calendar: WorkingCalendar, now: datetime) -> bool:
    due_on = calendar.working_day_after(row["received_on"], row["reply_days"])[0]
    return now >= datetime.combine(due_on + timedelta(days=1), time(), ZoneInfo(row["timezone"]))

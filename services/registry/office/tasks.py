"""The inbox of those who work in the office: what waits for one person, late first. Pure; rows come from `store.py`.

Invariant: due dates are counted by the official calendar when they are read, as everywhere else; what no rule dates
stands behind what is dated, the longest waiting first.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from functools import cache

import msgspec

from services.registry.calendar.days import WorkingCalendar
from services.registry.reviews.deadlines import Pause, review_due
from services.shared.clock import day_in

PAGE_SIZE = 50


class TaskKind(StrEnum):
    """What may wait for somebody; the same words in SQL, in addresses and on the page."""

    UNIT_REGISTRATION = "unit_registration"
    UNIT_CHANGE = "unit_change"
    RECOMMENDATION = "recommendation"
    EXEMPTION = "exemption"
    REVIEW_CHECKLIST = "review_checklist"
    REVIEW_DECISION = "review_decision"
    JOINT_CHECK = "joint_check"
    APPEAL = "appeal"
    OBJECTION_OWNER = "objection_owner"
    OBJECTION_DECISION = "objection_decision"
    OBJECTION_SECOND = "objection_second"
    PROJECT_GRANT = "project_grant"
    PROJECT_PROPOSAL = "project_proposal"
    PROJECT_BOOKING = "project_booking"
    PROJECT_INSPECTION = "project_inspection"
    PROJECT_FINDING = "project_finding"
    PROJECT_ACCEPTANCE = "project_acceptance"
    PROJECT_SETTLEMENT = "project_settlement"


_PATHS = {
    TaskKind.UNIT_REGISTRATION: "/office/units/{object}",
    TaskKind.UNIT_CHANGE: "/office/units/{object}",
    TaskKind.RECOMMENDATION: "/office/recommendations/{place}/{object}",
    TaskKind.EXEMPTION: "/office/recommendations/{place}/{object}",
    TaskKind.REVIEW_CHECKLIST: "/office/applications/{object}",
    TaskKind.REVIEW_DECISION: "/office/applications/{object}",
    TaskKind.APPEAL: "/office/applications/{object}",
    TaskKind.JOINT_CHECK: "/office/joint-checks?call={place}&department={object}&answer=waiting",
    TaskKind.OBJECTION_OWNER: "/office/objections/{object}",
    TaskKind.OBJECTION_DECISION: "/office/objections/{object}",
    TaskKind.OBJECTION_SECOND: "/office/objections/{object}",
}
_PROJECT_PATH = "/office/projects/{place}/{object}"


class Row(msgspec.Struct, frozen=True):
    """What the database says of a task: dated by `due_on`, by working days after `started_on`, or not at all."""

    kind: TaskKind
    place: str
    object: str
    title: str
    who: str
    channel: str
    since: datetime
    due_on: date | None
    started_on: date | None
    working_days: int
    paused_from: date | None
    paused_until: date | None
    timezone: str
    waiting: int


class Task(msgspec.Struct, frozen=True):
    """A line of the inbox; `waiting` counts what it stands for, `days_left` working days (negative: late)."""

    kind: TaskKind
    path: str
    title: str
    who: str
    channel: str
    since: datetime
    timezone: str
    due_on: date | None
    days_left: int | None
    provisional: bool
    waiting: int


class Inbox(msgspec.Struct, frozen=True):
    """One page of the tasks that were asked for, and how many of each kind there are, whatever the filter."""

    tasks: list[Task]
    counts: dict[TaskKind, int]
    late: int
    total: int
    page: int
    pages: int


def inbox(
    rows: Iterable[Row], days: WorkingCalendar, now: datetime, kind: str = "", only_late: bool = False, page: int = 1,
    *, page_size: int = PAGE_SIZE,
) -> Inbox:  # fmt: skip
    """The tasks in the order of their days, filtered, cut to one page."""
    dated = _Dates(days, now)
    everything = [dated.task(row) for row in rows]
    found = [each for each in everything if (not kind or each.kind == kind) and (not only_late or _is_late(each))]
    found.sort(key=lambda each: (each.due_on or date.max, each.since, each.path))
    pages = max(1, -(-len(found) // page_size))
    page = min(max(1, page), pages)
    counts = Counter(each.kind for each in everything)
    return Inbox(
        found[(page - 1) * page_size : page * page_size],
        {each: counts[each] for each in TaskKind if counts[each]},
        sum(map(_is_late, everything)),
        len(found),
        page,
        pages,
    )


def _is_late(task: Task) -> bool:
    return task.days_left is not None and task.days_left < 0


class _Dates:
    """Due dates of many tasks: thousands share a handful of beginnings, so each is counted once."""

    def __init__(self, days: WorkingCalendar, now: datetime) -> None:
        self._days, self._now = days, now
        self._left = cache(days.working_days_left)
        self._due = cache(self._count)
        self._today = cache(lambda timezone: day_in(now, timezone))

    def task(self, row: Row) -> Task:
        today: date = self._today(row.timezone)
        due_on, unsure = row.due_on, False
        if row.started_on is not None:
            due_on, unsure = self._due(row.started_on, row.working_days, row.paused_from, row.paused_until, today)
        path = _PATHS.get(row.kind, _PROJECT_PATH).format(place=row.place, object=row.object)
        left = None if due_on is None else self._left(today, due_on)
        # The last day has no working day after it, and neither has a holiday that follows it.
        if left == 0 and due_on is not None and due_on < today:
            left = -1
        return Task(
            row.kind, path, row.title, row.who, row.channel, row.since, row.timezone, due_on, left, unsure, row.waiting
        )

    def _count(
        self, start: date, working_days: int, paused_from: date | None, paused_until: date | None, today: date
    ) -> tuple[date, bool]:
        pause = Pause(paused_from, paused_until) if paused_from else None
        due = review_due(self._days, start, working_days, pause, today)
        return due.due_on, due.provisional

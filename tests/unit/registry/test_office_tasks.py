"""The inbox: what is late stands first, what has no date last; days are those of the official calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from services.registry.calendar.days import WorkingCalendar
from services.registry.office.tasks import PAGE_SIZE, Row, TaskKind, inbox

NOW = datetime(2020, 10, 12, 4, 0, tzinfo=UTC)
OCTOBER_1 = datetime(2020, 10, 1, tzinfo=UTC)
REVIEW = Row(
    TaskKind.REVIEW_CHECKLIST, "", "a1", "议事厅", "社区", "wuhua", OCTOBER_1, None, date(2020, 9, 30), 5, None, None,
    "Asia/Shanghai", 1,
)  # fmt: skip


def row(**changes: Any) -> Row:
    return msgspec.structs.replace(REVIEW, **changes)


def dated(day: date, **more: Any) -> Row:
    return row(started_on=None, due_on=day, **more)


def test_a_review_of_2020_is_due_after_the_holiday_and_its_worked_saturday() -> None:
    """Deadline 30 September, holiday to 8 October, 10 October worked: five working days end on 14 October."""
    [task] = inbox([REVIEW], WorkingCalendar({}), NOW).tasks
    assert (task.due_on, task.days_left, task.path) == (date(2020, 10, 14), 2, "/office/applications/a1")


def test_a_completion_that_lasts_moves_the_due_day_with_today() -> None:
    [task] = inbox([row(paused_from=date(2020, 10, 9))], WorkingCalendar({}), NOW).tasks
    assert task.due_on == date(2020, 10, 16)


def test_late_stands_first_and_what_no_rule_dates_last() -> None:
    undated = row(started_on=None, object="a4", since=datetime(2019, 1, 1, tzinfo=UTC))
    late, soon = dated(date(2020, 10, 9), object="a2"), dated(date(2020, 10, 12), object="a3")
    found = inbox([undated, REVIEW, soon, late], WorkingCalendar({}), NOW)
    assert [each.path[-2:] for each in found.tasks] == ["a2", "a3", "a1", "a4"]
    assert [each.days_left for each in found.tasks] == [-2, 0, 2, None]
    assert found.late == 1
    assert [each.path[-2:] for each in inbox([REVIEW, late], WorkingCalendar({}), NOW, only_late=True).tasks] == ["a2"]


def test_a_day_that_passed_into_a_holiday_is_late_though_no_working_day_went_by() -> None:
    """Due on the last working day before the holiday, looked at inside it."""
    inside = datetime(2020, 10, 3, 4, 0, tzinfo=UTC)
    assert inbox([dated(date(2020, 9, 30))], WorkingCalendar({}), inside).late == 1


def test_pages_keep_the_counts_of_everything() -> None:
    rows = [row(object=f"b{number:03}") for number in range(101)] + [
        dated(date(2020, 10, 20), kind=TaskKind.JOINT_CHECK)
    ]
    last = inbox(rows, WorkingCalendar({}), NOW, page=99)
    assert (last.page, last.pages, last.total, len(last.tasks)) == (3, 3, 102, 2)
    assert last.counts == {TaskKind.REVIEW_CHECKLIST: 101, TaskKind.JOINT_CHECK: 1}
    assert len(inbox(rows, WorkingCalendar({}), NOW).tasks) == PAGE_SIZE
    only = inbox(rows, WorkingCalendar({}), NOW, kind="joint_check")
    assert (only.total, only.counts) == (1, last.counts)

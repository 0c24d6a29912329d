"""A review as its callers see it: everything for the office, decision and completion for the applicant. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from services.registry.applications.access import has_conflict, is_own
from services.registry.applications.stages import STAGE_NAMES, Stage
from services.registry.calendar.days import WorkingCalendar
from services.registry.reviews.appeals import OUTCOMES
from services.registry.reviews.checklists import ITEMS, MAY_NOT_APPLY, REASON_NAMES, Checklist, RejectionReason, agree
from services.registry.reviews.deadlines import review_due
from services.registry.reviews.reviewing import CHECKLISTS, DEPARTMENTS, RESULTS
from services.registry.reviews.store import JointCheck, Review
from services.shared.clock import day_in
from services.shared.staff import Role, Staff

_IN_HAND = (Stage.IN_REVIEW, Stage.COMPLETION)


def line(review: Review, days: WorkingCalendar, filled: int, now: datetime) -> dict[str, Any]:
    """A review in a list, with when it is due."""
    return {
        "application": review.application,
        "title": review.title,
        "unit": review.unit,
        "unit_name": review.unit_name,
        "channel": review.channel,
        "channel_name": review.channel_name,
        "level": review.level,
        "category": review.category,
        "stage": review.stage,
        "stage_name": STAGE_NAMES[Stage(review.stage)],
        "checklists": filled,
        "outcome": review.outcome,
        **due_facts(review, days, now),
    }


def due_facts(review: Review, days: WorkingCalendar, now: datetime) -> dict[str, Any]:
    """`due_on`, `days_left` (None once decided), `provisional`, `paused`, `late` where it was decided after its day."""
    today = day_in(now, review.timezone)
    due = review_due(days, review.started_on, review.working_days, review.pause, today)
    undecided = review.stage in _IN_HAND
    return {
        "started_on": review.started_on,
        "due_on": due.due_on,
        "days_left": due.days_left if undecided else None,
        "provisional": due.provisional,
        "paused": due.paused and undecided,
        "late": (review.decided_on or today) > due.due_on,
    }


def whole(
    review: Review, days: WorkingCalendar, filled: list[Checklist], asked: list[JointCheck], staff: Staff, now: datetime
) -> dict[str, Any]:
    """What this caller may know: checklists and joint checks are the office's."""
    facts = {
        **line(review, days, len(filled), now),
        "call": review.call,
        "cycle": review.cycle,
        "opened_at": review.opened_at,
        "completion": _completion(review),
        "decision": _decision(review),
        "appeal": appeal_facts(review, days),
        "actions": actions(review, days, filled, staff, now),
    }
    if staff.has(Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR):
        facts["items"] = [
            {"item": item, "name": name, "may_not_apply": item in MAY_NOT_APPLY} for item, name in ITEMS.items()
        ]
        facts["filled"] = [msgspec.structs.asdict(each) for each in filled]
        facts["agree"] = agree(filled)
        facts["joint_checks"] = [_joint_check(each, review, now) for each in asked]
        facts["decided_by"] = review.decided_by
    return facts


def _completion(review: Review) -> dict[str, Any] | None:
    if review.completion_text is None:
        return None
    return {
        "text": review.completion_text,
        "requested_at": review.completion_requested_at,
        "due_on": review.completion_due_on,
        "closes_at": review.completion_closes_at,
        "answered": review.completion_answered,
    }


def _decision(review: Review) -> dict[str, Any] | None:
    if review.outcome is None:
        return None
    name = REASON_NAMES[RejectionReason(review.reason)] if review.reason else ""
    return {
        "outcome": review.outcome, "reason": review.reason, "reason_name": name, "text": review.text,
        "basis": review.basis, "decided_at": review.decided_at,
    }  # fmt: skip


def appeal_facts(review: Review, days: WorkingCalendar) -> dict[str, Any] | None:
    """The appeal, or until when one may be made; None where there is nothing to appeal against."""
    if review.decided_on is None or review.outcome != "not_accepted":
        return None
    last, provisional = days.working_day_after(review.decided_on, review.appeal_working_days)
    return {
        "until": last, "provisional": provisional, "text": review.appeal_text, "filed_at": review.appeal_filed_at,
        "outcome": review.appeal_outcome, "outcome_name": OUTCOMES.get(review.appeal_outcome or "", ""),
        "reply": review.appeal_reply, "decided_at": review.appeal_decided_at,
    }  # fmt: skip


def _joint_check(asked: JointCheck, review: Review, now: datetime) -> dict[str, Any]:
    today = day_in(now, review.timezone)
    return {
        **msgspec.structs.asdict(asked),
        "department_name": DEPARTMENTS[asked.department],
        "result_name": RESULTS.get(asked.result or "", ""),
        "overdue": asked.result is None and asked.due_on < today,
    }


def actions(review: Review, days: WorkingCalendar, filled: list[Checklist], staff: Staff, now: datetime) -> list[str]:
    """What this caller can do now, as the last parts of the calls' paths."""
    if is_own(staff, review.unit):
        return _applicant_actions(review, days, now)
    if has_conflict(staff, review.unit, review.channel) or not staff.has(Role.REVIEWER, Role.ADMINISTRATOR):
        return []
    possible: list[str] = []
    stage = Stage(review.stage)
    if stage in _IN_HAND:
        possible.append("joint-checks")
    if stage is Stage.IN_REVIEW:
        mine = any(each.reviewer == staff.staff for each in filled)
        if staff.has(Role.REVIEWER) and not mine and len(filled) < CHECKLISTS:
            possible.append("checklist")
        if review.completion_text is None:
            possible.append("completion")
        if len(filled) == CHECKLISTS and (agree(filled) or (staff.has(Role.ADMINISTRATOR) and not mine)):
            possible.append("decision")
    if review.appeal_filed_at is not None and review.appeal_outcome is None:
        possible.append("appeal/decision")
    return possible


def _applicant_actions(review: Review, days: WorkingCalendar, now: datetime) -> list[str]:
    if review.stage == Stage.COMPLETION:
        return ["edit", "submit"]
    if review.stage != Stage.NOT_ACCEPTED or review.appeal_filed_at is not None or review.decided_on is None:
        return []
    last, _ = days.working_day_after(review.decided_on, review.appeal_working_days)
    return ["appeal"] if day_in(now, review.timezone) <= last else []

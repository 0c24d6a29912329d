"""Projects as answers: what staff see, what the public sees, and what may be done next. Pure."""

from datetime import date
from typing import Any

import msgspec

from services.registry.attachments.records import Attachment
from services.registry.grants import access
from services.registry.grants.desk import MONEY_STATES
from services.registry.grants.money import ZERO, LineBalance
from services.registry.grants.records import (
    Acceptance,
    Booking,
    Dossier,
    Finding,
    Inspection,
    InspectionOutcome,
    Project,
    Proposal,
    State,
)
from services.shared.staff import Role, Staff


def head(project: Project, today: date) -> dict[str, Any]:
    """A project in a list: its head, its state, and how many days are left before acceptance is due."""
    is_waiting = project.state in (State.OPENED, State.RUNNING, State.RECTIFYING)
    return {
        **msgspec.structs.asdict(project),
        "state": project.state,
        "acceptance_due": project.acceptance_due,
        "acceptance_days_left": (project.acceptance_due - today).days if is_waiting else None,
        "acceptance_overdue": is_waiting and today >= project.acceptance_due,
    }


def dossier(found: Dossier, files: list[Attachment], staff: Staff, today: date) -> dict[str, Any]:
    """Everything about a project for somebody who may see it."""
    return {
        **head(found.project, today),
        "actions": actions(found, staff),
        "lines": [line(each) for each in found.lines],
        "targets": found.targets,
        "proposals": [proposal(each, found.project, staff) for each in found.proposals],
        "instalments": found.instalments,
        "payments": found.payments,
        "bookings": [booking(each) for each in found.bookings],
        "inspections": [_inspection(each, today) for each in found.inspections],
        "acceptances": found.acceptances,
        "settlement": found.settlement,
        "attachments": files,
    }


def line(balance: LineBalance) -> dict[str, Any]:
    """A budget line with its sums and flags, all in yuan."""
    return {
        **msgspec.structs.asdict(balance),
        "left": balance.left,
        "overspent": balance.overspent,
        "uncovered": balance.uncovered,
        "eligible": balance.eligible,
        "is_overspent": balance.uncovered > 0,
    }


def booking(found: Booking) -> dict[str, Any]:
    state = "reversal" if found.reverses else "reversed" if found.reversed_by else None
    return {**msgspec.structs.asdict(found), "state": state or (found.check.outcome if found.check else "unchecked")}


def proposal(found: Proposal, project: Project, staff: Staff) -> dict[str, Any]:
    signed = {found.proposed_by, *(each.signer for each in found.signatures)}
    may_sign = found.state == "open" and _acts_for_office(staff, project) and staff.staff not in signed
    return {**msgspec.structs.asdict(found), "state": found.state, "actions": ["decide"] if may_sign else []}


def _inspection(found: Inspection, today: date) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(found),
        "overdue": found.report is None and found.planned_on < today,
        "findings": [finding(each, today) for each in found.findings],
    }


def finding(found: Finding, today: date) -> dict[str, Any]:
    """A finding with its state and days left; what is remedied waits for the office, not for the unit."""
    return {
        **msgspec.structs.asdict(found),
        "state": found.state,
        "days_left": (found.due_on - today).days if found.state == "open" else None,
        "overdue": found.state == "open" and found.due_on < today,
    }


def _acts_for_office(staff: Staff, project: Project) -> bool:
    interest = access.has_interest(staff, project.unit, project.unit_name, project.channel)
    return staff.has(*access.OFFICE) and not interest


_ACTIONS_OF_OFFICE: dict[State, tuple[str, ...]] = {
    State.OPENED: ("propose_grant",),
    State.RUNNING: ("propose_acceptance",),
    State.RECTIFYING: ("propose_acceptance",),
    State.ACCEPTED: ("propose_settlement",),
    State.FAILED: ("propose_settlement",),
    State.SETTLED: ("pay",),
}


def actions(found: Dossier, staff: Staff) -> list[str]:
    """What somebody may do next with a project, as words."""
    project, words = found.project, []
    with_money = project.state in MONEY_STATES
    if _acts_for_office(staff, project):
        words += [*_ACTIONS_OF_OFFICE[project.state], *(["book", "check", "pay"] if with_money else [])]
        if not project.selected and project.state is not State.SETTLED:
            words = [word for word in words if word not in ("propose_grant", "pay")]
        words += ["plan_inspection", "attach"] if project.state is not State.SETTLED else []
    if access.is_units(staff, project):
        words += ["book", "propose_budget_change"] if with_money else []
        words += ["attach"] if project.state is not State.SETTLED else []
        if any(each.state == "open" for inspection in found.inspections for each in inspection.findings):
            words.append("remedy")
    return sorted(set(words))


def public(found: Dossier) -> dict[str, Any]:
    """What everybody may know: no person, no voucher, no purpose of a single booking."""
    project = found.project
    return {
        "project": project,
        "state": project.state,
        "granted": project.granted,
        "paid": project.paid,
        "spent": sum((each.spent for each in found.lines), ZERO),
        "own_funds": sum((each.own_funds for each in found.lines), ZERO),
        "lines": found.lines,
        "targets": found.targets,
        "inspections": [each for each in found.inspections if _is_public(each)],
        "acceptances": found.acceptances,
        "newest": found.acceptances[-1] if found.acceptances else None,
        "outcomes": _outcomes(found.acceptances),
        "settlement": found.settlement,
    }


def _is_public(inspection: Inspection) -> bool:
    return inspection.report is not None and inspection.report.outcome is not InspectionOutcome.CANCELLED


def _outcomes(acceptances: list[Acceptance]) -> dict[int, str]:
    """Target → its outcome in the newest attempt."""
    return {each.target: each.outcome.value for each in acceptances[-1].targets} if acceptances else {}


def scope(staff: Staff) -> tuple[str | None, str | None]:
    """(unit, channel) that a list of projects is narrowed to; (None, None) for those who see all."""
    if staff.has(*access.OFFICE, Role.AUDITOR):
        return None, None
    if staff.has(Role.APPLICANT):
        return staff.unit, None
    return None, staff.channel

"""Inspections: planned, carried out with findings, each finding followed until the office closes it."""

from datetime import date, datetime
from uuid import UUID, uuid4

import msgspec

from services.registry.grants import access, reading, store
from services.registry.grants.desk import Act, act_on, text
from services.registry.grants.records import Finding, FindingStep, Inspection, InspectionOutcome, Report, State
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff

FINDINGS_MAX = 50
_STATES = (State.OPENED, State.RUNNING, State.RECTIFYING, State.ACCEPTED, State.FAILED)
# From which state of a finding each step is possible.
STEPS_FROM = {
    FindingStep.REMEDIED: ("open",),
    FindingStep.CLOSED: ("open", "remedied"),
    FindingStep.REOPENED: ("remedied", "closed"),
}


class PlanForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    planned_on: date
    topic: str


class FindingForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found, what is to be done about it, and by when (the day included)."""

    text: str
    remedy: str
    due_on: date


class ReportForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an inspection ended; `summary` is public and names no person. `cancelled` says there why."""

    outcome: InspectionOutcome
    held_on: date
    summary: str
    findings: list[FindingForm] = []


class StepForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a finding; `due_on` goes with `reopened` only."""

    step: FindingStep
    text: str
    evidence: str | None = None
    due_on: date | None = None


async def plan(pool: Pool, round_id: str, candidate: str, form: PlanForm, staff: Staff, now: datetime) -> UUID:
    """A new inspection; the unit sees it at once."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        act.require_state(*_STATES)
        topic = _text(form.topic, "topic")
        if form.planned_on < act.today:
            raise _bad(f"planned_on is {form.planned_on}; an inspection is planned for today or later.")
        inspection = uuid4()
        await store.insert_inspection(act.connection, act.project, inspection, form.planned_on, topic, staff.staff, now)
        facts = {"inspection": str(inspection), "planned_on": form.planned_on.isoformat(), "topic": topic}
        await act.log("inspection_planned", facts)
    return inspection


async def report(
    pool: Pool, round_id: str, candidate: str, inspection: UUID, form: ReportForm, staff: Staff, now: datetime
) -> None:
    """Write how an inspection ended, once; raises Refusal `bad_inspection`, `already_decided`, `unknown_inspection`."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        act.require_state(*_STATES)
        found = await _inspection(act, inspection)
        if found.report is not None:
            raise Refusal(RegistryReason.ALREADY_DECIDED, "This inspection has its report; plan another one.")
        findings = _findings(act, form)
        written = Report(form.outcome, form.held_on, _text(form.summary, "summary"), staff.staff, now)
        await store.insert_report(act.connection, inspection, written, findings)
        await act.log("inspected", {"inspection": str(inspection), **msgspec.to_builtins(form)})


def _findings(act: Act, form: ReportForm) -> list[tuple[UUID, str, str, date]]:
    if form.held_on > act.today:
        raise _bad(f"held_on is {form.held_on}, which has not come yet.")
    if (form.outcome is InspectionOutcome.FINDINGS) != bool(form.findings) or len(form.findings) > FINDINGS_MAX:
        raise _bad(f"The outcome findings has 1 to {FINDINGS_MAX} findings, every other outcome none.")
    for number, each in enumerate(form.findings, start=1):
        if each.due_on < form.held_on:
            raise _bad(f"Finding {number} is due on {each.due_on}, before the inspection.")
    return [
        (uuid4(), _text(each.text, f"finding {number}"), _text(each.remedy, f"remedy {number}"), each.due_on)
        for number, each in enumerate(form.findings, start=1)
    ]


async def follow_up(
    pool: Pool, round_id: str, candidate: str, finding: UUID, form: StepForm, staff: Staff, now: datetime
) -> tuple[Finding, date]:
    """(the finding now, today); `remedied` by the unit, `closed` or `reopened` by the office.

    Raises Refusal `bad_inspection`, `unknown_inspection`, `voucher_missing`, `wrong_state`.
    """
    async with act_on(pool, round_id, candidate, staff, now) as act:
        if form.step is FindingStep.REMEDIED:
            access.require_unit(staff, act.project)
        else:
            access.require_office(staff, act.project)
        act.require_state(*_STATES)
        known = await _finding(act, finding)
        if known.state not in STEPS_FROM[form.step]:
            raise _bad(f"The finding is {known.state}; {form.step} follows {' or '.join(STEPS_FROM[form.step])}.")
        if (form.step is FindingStep.REOPENED) != (form.due_on is not None):
            raise _bad("due_on goes with reopened, and only with it.")
        if form.due_on is not None and form.due_on < act.today:
            raise _bad(f"due_on is {form.due_on}; it must be today or later.")
        if form.evidence is not None:
            await act.require_files([form.evidence])
        why = _text(form.text, "text")
        await store.insert_step(act.connection, finding, form.step, why, form.evidence, form.due_on, staff.staff, now)
        await act.log(f"finding_{form.step}", {"finding": str(finding), "text": why, "evidence": form.evidence})
        return await _finding(act, finding), act.today


async def _inspection(act: Act, inspection: UUID) -> Inspection:
    known = await reading.inspections(act.connection, act.project)
    found = next((each for each in known if each.inspection == inspection), None)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_INSPECTION, "This project has no such inspection; load the project again.")
    return found


async def _finding(act: Act, finding: UUID) -> Finding:
    known = await reading.inspections(act.connection, act.project)
    found = next((each for inspection in known for each in inspection.findings if each.finding == finding), None)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_INSPECTION, "This project has no such finding; load the project again.")
    return found


def _text(value: str, where: str) -> str:
    return text(value, where, RegistryReason.BAD_INSPECTION)


def _bad(detail: str) -> Refusal:
    return Refusal(RegistryReason.BAD_INSPECTION, detail)

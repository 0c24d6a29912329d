"""The review meeting (专家评审会): its chair opens candidate after candidate, the tablets follow.

A candidate is done when everybody present who scores it has submitted or declared a conflict; only then may the next be
opened. Chair: the person named at the start, or any administrator. Called by `office/api.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.scoring import metrics, sheets
from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.office import store
from services.scoring.office.store import Meeting
from services.scoring.reasons import Reason
from services.scoring.records import SheetState, SheetStatus
from services.scoring.rounds import Round
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, transaction
from services.shared.staff import Role, Staff


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a meeting stands: who of those present still has to mark the open candidate."""

    meeting: Meeting
    waits_for: tuple[str, ...]


def waits_for(round_: Round, meeting: Meeting, statuses: Sequence[SheetStatus]) -> tuple[str, ...]:
    """Whoever is present, scores the open candidate, and has neither submitted nor declared a conflict. Pure."""
    done = {each.expert for each in statuses if each.candidate == meeting.candidate and each.state != SheetState.DRAFT}
    scoring = [each for each in meeting.present if round_.scores(each, meeting.candidate)]
    return tuple(each for each in scoring if each not in done)


async def start(desk: Desk, official: Staff, round_id: str, chair: str, present: Sequence[str]) -> Standing:
    """Begin a meeting with those present; raises Refusal while another is under way."""
    found = await desk.round(round_id)
    strangers = [each for each in present if not found.is_panellist(each)]
    if strangers or not present or len(set(present)) != len(present):
        named = strangers[0][:64] if strangers else "nobody, or somebody twice"
        raise Refusal(Reason.NOT_ON_PANEL, f"Name each panel member present once; {named} does not fit.")
    async with transaction(desk.pool) as connection:
        await store.hold_meeting(connection, found.id)
        known = await store.meeting(connection, found.id)
        if known is not None and not known.ended:
            raise Refusal(Reason.MEETING_UNDER_WAY, "A meeting of this round is under way; end it first.")
        number = 1 if known is None else known.meeting + 1
        who, now = official.username, desk.clock.now()
        new = Meeting(found.id, number, chair, tuple(present), who, now, 0, "", ended=False)
        await store.put_meeting(connection, new)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.MEETING_STARTED).inc()
    return Standing(new, ())


async def standing(desk: Desk, staff: Staff, round_id: str) -> Standing:
    """Where the newest meeting stands, for its people and the office."""
    found = await desk.round(round_id)
    if not staff.has(Role.ADMINISTRATOR, Role.AUDITOR) and not found.is_panellist(staff.username):
        raise Refusal(CommonReason.FORBIDDEN, "The meeting is for its panel and the office.")
    return await _standing(desk, desk.pool, found)


async def _standing(desk: Desk, reader: store.Reader, round_: Round) -> Standing:
    meeting = await store.meeting(reader, round_.id)
    if meeting is None:
        raise Refusal(Reason.UNKNOWN_MEETING, "No meeting of this round was begun.")
    if not meeting.candidate or meeting.ended:
        return Standing(meeting, ())
    return Standing(meeting, waits_for(round_, meeting, await scoring_store.sheet_statuses(reader, round_.id)))


async def open_candidate(desk: Desk, staff: Staff, round_id: str, candidate: str) -> Standing:
    """Call the next candidate; raises Refusal `marks_awaited` while somebody present still marks the open one."""
    found = await desk.round(round_id)
    sheets.require_untied(staff, sheets.require_card(found, candidate))
    async with transaction(desk.pool) as connection:
        before = await _conducted(connection, desk, staff, found)
        if before.meeting.candidate == candidate:
            return before
        _require_marked(before)
        now = replace(before.meeting, step=before.meeting.step + 1, candidate=candidate)
        await store.put_step(connection, now, staff.username, desk.clock.now())
        after = await _standing(desk, connection, found)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.CANDIDATE_OPENED).inc()
    return after


async def end(desk: Desk, staff: Staff, round_id: str) -> Standing:
    """Close the meeting; sheets that are still open are finished as everywhere else."""
    found = await desk.round(round_id)
    async with transaction(desk.pool) as connection:
        before = await _conducted(connection, desk, staff, found)
        _require_marked(before)
        now = replace(before.meeting, step=before.meeting.step + 1, ended=True)
        await store.put_step(connection, now, staff.username, desk.clock.now())
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.MEETING_ENDED).inc()
    return Standing(now, ())


async def _conducted(connection: Connection, desk: Desk, staff: Staff, round_: Round) -> Standing:
    """The meeting under way, held for its chair."""
    await store.hold_meeting(connection, round_.id)
    found = await _standing(desk, connection, round_)
    if found.meeting.ended:
        raise Refusal(Reason.UNKNOWN_MEETING, "The meeting has ended; begin another.")
    if staff.username != found.meeting.chair and not staff.has(Role.ADMINISTRATOR):
        raise Refusal(CommonReason.FORBIDDEN, "The chair or an administrator conducts the meeting.")
    return found


def _require_marked(before: Standing) -> None:
    if before.waits_for:
        named = ", ".join(before.waits_for[:10])
        detail = f"Candidate {before.meeting.candidate} still waits for {named}."
        raise Refusal(Reason.MARKS_AWAITED, detail, waits_for=list(before.waits_for))

"""Acts that need two people: reopen or restore sheets, lift a conflict that facts told, call a reserve.

One administrator proposes with a reason, a different one confirms; the act and its confirmation are one transaction.
Neither may have a tie to the candidate. Called by `office/api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import assert_never

from services.scoring import metrics, sheets
from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.office import store
from services.scoring.office.store import Proposal
from services.scoring.panels import store as panel_store
from services.scoring.panels.reserves import replacements
from services.scoring.reasons import Reason
from services.scoring.records import SheetState
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.postgres import Connection, transaction
from services.shared.staff import Role, Staff


class Kind(StrEnum):
    """What two people may do together."""

    REOPEN_SHEET = "reopen_sheet"
    RESTORE_SNAPSHOT = "restore_snapshot"
    LIFT_CONFLICT = "lift_conflict"
    CALL_RESERVE = "call_reserve"


async def propose(
    desk: Desk, official: Staff, round_id: str, kind: Kind, candidate: str, expert: str, reason: str, day: str = ""
) -> Proposal:
    """Propose an act; nothing changes yet. Raises Refusal where it could not take effect now."""
    found = await desk.round(round_id)
    expert = sheets.clean_text(expert, 200, "expert")
    wanted = Proposal(
        0, found.id, kind.value, candidate, expert, {"day": day} if day else {}, sheets.require_reason(reason),
        official.username, desk.clock.now(),
    )  # fmt: skip
    _require_untied(official, found, wanted)
    async with transaction(desk.pool) as connection:
        await _require_possible(connection, found, wanted)
        number = await store.put_proposal(connection, wanted)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.PROPOSED).inc()
    return replace(wanted, proposal=number)


def _require_untied(official: Staff, round_: Round, act: Proposal) -> None:
    """Nobody acts on a candidate they are tied to, nor on what concerns themselves."""
    named = [sheets.require_card(round_, act.candidate)] if act.candidate else list(round_.standing)
    for card in named:
        sheets.require_untied(official, card)
        if round_.is_tied(official.username, card.candidate):
            raise Refusal(Reason.CONFLICT_OF_INTEREST, "You are tied to this candidate; a colleague must do this.")
    if official.username == act.expert:
        raise Refusal(Reason.CONFLICT_OF_INTEREST, "This is about your own sheet or conflict; colleagues must do it.")


async def _require_possible(connection: Connection, round_: Round, act: Proposal) -> None:
    match Kind(act.kind):
        case Kind.REOPEN_SHEET:
            sheet = await scoring_store.sheet(connection, round_.id, act.candidate, act.expert)
            if sheet is None:
                raise Refusal(Reason.UNKNOWN_SHEET, "This expert has no sheet on this candidate; check the user name.")
        case Kind.RESTORE_SNAPSHOT:
            day = _day(act)
            if not await store.snapshot_sheets(connection, round_.id, day, act.candidate, act.expert):
                raise Refusal(Reason.UNKNOWN_SNAPSHOT, f"There is no snapshot of {day} with such sheets; list them.")
        case Kind.LIFT_CONFLICT:
            if not act.candidate or not round_.is_tied(act.expert, act.candidate):
                raise Refusal(Reason.UNKNOWN_SHEET, "Facts tell no conflict of this expert with this candidate.")
        case Kind.CALL_RESERVE:
            await _reserves(connection, round_, act)


async def _reserves(connection: Connection, round_: Round, act: Proposal) -> Mapping[str, str]:
    """Who would take the expert's place, by candidate; raises Refusal where nobody can."""
    statuses = await scoring_store.sheet_statuses(connection, round_.id)
    own = (each for each in statuses if each.expert == act.expert and each.state is SheetState.SUBMITTED)
    found = await replacements(connection, round_, act.expert, act.candidate, frozenset(each.candidate for each in own))
    if not found:
        detail = "No reserve without a conflict can take a place of this expert; check who has which seat."
        raise Refusal(Reason.PANEL_UNFILLED, detail)
    return found


def _day(act: Proposal) -> date:
    try:
        return date.fromisoformat(act.content.get("day", ""))
    except ValueError:
        raise Refusal(Reason.UNKNOWN_SNAPSHOT, "Name the snapshot's day, like 2026-11-02.") from None


async def confirm(desk: Desk, official: Staff, round_id: str, number: int) -> Proposal:
    """Carry a proposal out as the second person; confirming it again is harmless."""
    await desk.door.require_fresh()
    found = await desk.round(round_id)
    async with transaction(desk.pool) as connection:
        proposal = await store.lock_proposal(connection, found.id, number)
        if proposal is None:
            raise Refusal(Reason.UNKNOWN_PROPOSAL, "No proposal of this round has this number; list them.")
        if proposal.proposed_by == official.username:
            raise Refusal(Reason.SAME_PERSON, "You proposed this; a different administrator must confirm it.")
        if proposal.confirmed_at is not None:
            return proposal
        _require_untied(official, found, proposal)
        if not await scoring_store.has_role(connection, proposal.proposed_by, Role.ADMINISTRATOR.value):
            raise Refusal(Reason.STALE, "Whoever proposed this is no longer an administrator; propose it again.")
        done = replace(proposal, confirmed_by=official.username, confirmed_at=desk.clock.now())
        await _carry_out(connection, found, done)
        await store.put_confirmation(connection, done)
    metrics.scoring_office_acts_total.labels(done.kind).inc()
    return done


async def _carry_out(connection: Connection, round_: Round, act: Proposal) -> None:
    assert act.confirmed_at is not None
    by = sheets.Signed(f"{act.proposed_by}, {act.confirmed_by}", act.reason, act.confirmed_at)
    kind = Kind(act.kind)
    match kind:
        case Kind.REOPEN_SHEET:
            await sheets.reopen(connection, round_, act.candidate, act.expert, by)
        case Kind.RESTORE_SNAPSHOT:
            for old in await store.snapshot_sheets(connection, round_.id, _day(act), act.candidate, act.expert):
                await sheets.restore(connection, round_, old, by)
        case Kind.LIFT_CONFLICT:
            await panel_store.put_lift(connection, round_.id, act.candidate, act.expert, act.proposal)
        case Kind.CALL_RESERVE:
            await panel_store.hold_panel(connection, round_.id)
            seated = await _reserves(connection, round_, act)
            await panel_store.put_seats(connection, round_.id, seated.items(), act.confirmed_at, act.expert)
        case _:
            assert_never(kind)

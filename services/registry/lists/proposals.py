"""Acts on a list that take two people: a change, its confirmation by a meeting, its retraction.

Invariant: the first person proposes on the version they saw, a different one confirms; neither belongs to a unit or
channel that the act concerns, and a list that moved on meanwhile makes the act lapse. A re-check (复核) before the
first list is the same act on version 0: what it removes never enters a notice. Publication itself was signed by two
people in scoring, so that the first list needs no further signature. Called by `api.py`, under the round's lock.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import assert_never

import msgspec

from services.registry import metrics
from services.registry.lists import guards, proposal_store, store, versions
from services.registry.lists.changes import Change, require_sound
from services.registry.lists.proposal_store import Act, Proposal, State
from services.registry.lists.versions import Outlook
from services.registry.lists.wanted import TEXT_MAX, WantedChange, WantedConfirmation, WantedRetraction
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rounds import access
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff

KIND = "list"


class Signed(StrEnum):
    """What a second signature did: it took effect, or waits for its time."""

    DONE = "done"
    SCHEDULED = "scheduled"


async def preview(pool: Pool, round_id: str, wanted: WantedChange, staff: Staff) -> Outlook:
    """What changes would do to the newest list; nothing is stored."""
    round_ = await rounds.require_round(pool, round_id)
    if not round_.list_version:
        raise Refusal(RegistryReason.UNKNOWN_LIST, "There is no list yet; a removal before it needs no preview.")
    guards.require_version(round_, wanted.version)
    require_sound(wanted.changes, _names(round_), has_list=True)
    seen = await versions.outlook(pool, round_, wanted.changes)
    await access.require_no_interest(pool, round_id, staff, _concerned(wanted.changes, seen))
    return seen


async def propose_change(pool: Pool, round_id: str, wanted: WantedChange, staff: Staff, now: datetime) -> int:
    """First signature under changes; returns the proposal's number."""
    async with transaction(pool) as connection:
        round_ = await _locked(connection, round_id)
        guards.require_version(round_, wanted.version)
        guards.require_release(wanted.release_at, now)
        require_sound(wanted.changes, _names(round_), has_list=bool(round_.list_version))
        if round_.list_version == 0 and wanted.release_at:
            raise Refusal(RegistryReason.BAD_LIST_CHANGE, "Before there is a list there is nothing to release.")
        await guards.require_remedy(connection, round_id, wanted.objection)
        await _weigh(connection, round_, wanted.changes, staff)
        content = {"changes": msgspec.to_builtins(wanted.changes)}
        return await _propose(
            connection, round_, Act.CHANGE, round_.list_version, content, staff, now, wanted.release_at,
            wanted.objection,
        )  # fmt: skip


async def propose_confirmation(
    pool: Pool, round_id: str, version: int, wanted: WantedConfirmation, staff: Staff, now: datetime
) -> int:
    """First signature under the meeting's confirmation of the newest list."""
    async with transaction(pool) as connection:
        round_ = await _locked(connection, round_id)
        guards.require_version(round_, version)
        guards.require_release(wanted.release_at, now)
        guards.require_meeting(wanted, round_, now)
        await guards.require_confirmable(connection, round_, now)
        if wanted.minutes is not None:
            await proposal_store.require_attachment(connection, wanted.minutes, KIND, list_object(round_id, version))
        await access.require_no_interest(connection, round_id, staff, await _listed(connection, round_))
        content = msgspec.to_builtins(msgspec.structs.replace(wanted, release_at=None))
        return await _propose(
            connection, round_, Act.CONFIRMATION, version, content, staff, now, wanted.release_at, None
        )


async def propose_retraction(
    pool: Pool, round_id: str, version: int, wanted: WantedRetraction, staff: Staff, now: datetime
) -> int:
    """First signature under taking back the newest list."""
    async with transaction(pool) as connection:
        round_ = await _locked(connection, round_id)
        guards.require_version(round_, version)
        if not wanted.text.strip() or len(wanted.text) > TEXT_MAX:
            raise Refusal(RegistryReason.REASON_MISSING, f"Say why, in at most {TEXT_MAX} characters; it is published.")
        await guards.require_not_retracted(connection, round_)
        await access.require_no_interest(connection, round_id, staff, await _listed(connection, round_))
        content = {"text": wanted.text.strip()}
        return await _propose(connection, round_, Act.RETRACTION, version, content, staff, now, None, None)


async def confirm(pool: Pool, round_id: str, number: int, staff: Staff, now: datetime) -> Signed:
    """Second signature; the same person's repeat is harmless.

    Raises Refusal `same_person`, `conflict_of_interest`, `stale_version`, `already_decided`, or what forbids it.
    """
    async with transaction(pool) as connection:
        round_ = await _locked(connection, round_id)
        proposal = await _proposal(connection, round_id, number)
        if proposal.confirmed_by == staff.staff and proposal.state in (State.DONE, State.SCHEDULED):
            return Signed(proposal.state.value)
        if proposal.state is not State.PROPOSED:
            raise Refusal(RegistryReason.ALREADY_DECIDED, f"This proposal is {proposal.state} already.")
        if proposal.proposed_by == staff.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You proposed this; a different person must confirm it.")
        if not await proposal_store.may_still_sign(connection, proposal.proposed_by):
            raise Refusal(RegistryReason.ALREADY_DECIDED, "Whoever proposed this may no longer; propose it again.")
        guards.require_version(round_, proposal.list_version)
        await _weigh_again(connection, round_, proposal, staff, now)
        signed = msgspec.structs.replace(proposal, confirmed_by=staff.staff)
        waits = proposal.release_at is not None and proposal.release_at > now
        await proposal_store.sign(connection, number, staff.staff, now, State.SCHEDULED if waits else State.DONE)
        if not waits:
            await _take_effect(connection, round_, signed, now)
        await record(
            connection, now, staff.staff, f"list_{proposal.act}.confirmed", KIND,
            list_object(round_id, proposal.list_version), round_id=round_id, after={"proposal": number},
        )  # fmt: skip
    return Signed.SCHEDULED if waits else Signed.DONE


async def withdraw(pool: Pool, round_id: str, number: int, reason: str, staff: Staff, now: datetime) -> None:
    """Take a proposal back before it took effect, a scheduled one too; anyone of the office may, with a reason."""
    if not reason.strip() or len(reason) > TEXT_MAX:
        raise Refusal(RegistryReason.REASON_MISSING, "Say why the proposal is withdrawn.")
    async with transaction(pool) as connection:
        await _locked(connection, round_id)
        proposal = await _proposal(connection, round_id, number)
        if proposal.state not in (State.PROPOSED, State.SCHEDULED):
            raise Refusal(RegistryReason.ALREADY_DECIDED, f"This proposal is {proposal.state} already.")
        await access.require_no_interest(connection, round_id, staff, _named(proposal))
        await proposal_store.end(connection, number, State.WITHDRAWN, now)
        await record(
            connection, now, staff.staff, f"list_{proposal.act}.withdrawn", KIND,
            list_object(round_id, proposal.list_version), round_id=round_id,
            after={"proposal": number, "reason": reason.strip()},
        )  # fmt: skip


async def release_once(pool: Pool, now: datetime) -> int:
    """Publish what was signed for a time that has come; exactly once, for the state changes in the same transaction."""
    done = 0
    for round_id, number in await proposal_store.due(pool, now):
        async with transaction(pool) as connection:
            round_ = await _locked(connection, round_id)
            proposal = await _proposal(connection, round_id, number)
            if proposal.state is State.SCHEDULED:
                await _release(connection, round_, proposal, now)
                done += 1
    return done


async def _release(connection: Connection, round_: Round, proposal: Proposal, now: datetime) -> None:
    """Carry it out, or let it lapse where something came between that forbids it now."""
    held = connection.transaction()
    await held.start()
    try:
        guards.require_version(round_, proposal.list_version)
        if proposal.act is Act.CONFIRMATION:
            await guards.require_confirmable(connection, round_, now)
        await proposal_store.end(connection, proposal.proposal, State.DONE, now)
        await _take_effect(connection, round_, proposal, now)
    except Refusal as refusal:
        await held.rollback()
        await proposal_store.end(connection, proposal.proposal, State.LAPSED, now)
        after = {"proposal": proposal.proposal, "reason": refusal.reason.value}
        action = f"list_{proposal.act}.lapsed"
    else:
        await held.commit()
        after, action = {"proposal": proposal.proposal}, f"list_{proposal.act}.released"
    await record(
        connection, now, "registry", action, KIND, list_object(round_.round, proposal.list_version),
        round_id=round_.round, after=after,
    )  # fmt: skip


async def _take_effect(connection: Connection, round_: Round, proposal: Proposal, now: datetime) -> None:
    match proposal.act:
        case Act.CHANGE:
            await _change(connection, round_, proposal, now)
        case Act.CONFIRMATION:
            wanted = msgspec.convert(proposal.content, WantedConfirmation)
            await proposal_store.insert_confirmation(
                connection, round_.round, proposal, wanted.meeting_number.strip(), wanted.held_on, wanted.minutes, now
            )
            detail = f"list {proposal.list_version}: {wanted.meeting_number.strip()}, {wanted.held_on}"
            await _publish_event(connection, round_, proposal, "list_confirmed", detail, now)
        case Act.RETRACTION:
            text = str(proposal.content["text"])
            await proposal_store.insert_retraction(connection, round_.round, proposal, text, now)
            detail = f"list {proposal.list_version}: {text}"
            await _publish_event(connection, round_, proposal, "list_retracted", detail, now)
        case _:
            assert_never(proposal.act)


async def _change(connection: Connection, round_: Round, proposal: Proposal, now: datetime) -> None:
    changes = _changes(proposal)
    if round_.list_version == 0:
        await store.insert_changes(connection, round_.round, proposal.proposal, 1, changes)
        return
    by = [proposal.proposed_by, proposal.confirmed_by or ""]
    await versions.publish_changes(connection, round_, proposal.proposal, changes, now, by)
    metrics.lists_made_total.inc()


async def _publish_event(
    connection: Connection, round_: Round, proposal: Proposal, event: str, detail: str, now: datetime
) -> None:
    await rounds.add_event(connection, round_.round, now, event, detail, proposal.confirmed_by or "")
    await rounds.publish(connection, round_.round)


async def _weigh(connection: Connection, round_: Round, changes: Sequence[Change], staff: Staff) -> None:
    """Whether changes would have an effect, and whether they concern whoever signs."""
    seen = await versions.outlook(connection, round_, changes) if round_.list_version else None
    await access.require_no_interest(connection, round_.round, staff, _concerned(changes, seen))


async def _weigh_again(connection: Connection, round_: Round, proposal: Proposal, staff: Staff, now: datetime) -> None:
    match proposal.act:
        case Act.CHANGE:
            await _weigh(connection, round_, _changes(proposal), staff)
        case Act.CONFIRMATION:
            await guards.require_confirmable(connection, round_, now)
            await access.require_no_interest(connection, round_.round, staff, await _listed(connection, round_))
        case Act.RETRACTION:
            await guards.require_not_retracted(connection, round_)
            await access.require_no_interest(connection, round_.round, staff, await _listed(connection, round_))
        case _:
            assert_never(proposal.act)


async def _propose(
    connection: Connection, round_: Round, act: Act, version: int, content: Mapping[str, object], staff: Staff,
    now: datetime, release_at: datetime | None, objection: str | None,
) -> int:  # fmt: skip
    number = await proposal_store.insert(
        connection, round_.round, act, version, content, staff.staff, now, release_at, objection
    )
    await record(
        connection, now, staff.staff, f"list_{act}.proposed", KIND, list_object(round_.round, version),
        round_id=round_.round, after={"proposal": number, **content},
    )  # fmt: skip
    return number


def _concerned(changes: Sequence[Change], seen: Outlook | None) -> list[str]:
    return [*(change.candidate for change in changes), *(seen.touched if seen else ())]


def _changes(proposal: Proposal) -> list[Change]:
    return msgspec.convert(proposal.content["changes"], list[Change])


def _named(proposal: Proposal) -> list[str]:
    return [change.candidate for change in _changes(proposal)] if proposal.act is Act.CHANGE else []


async def _listed(connection: Connection, round_: Round) -> list[str]:
    return [each.candidate for each in await store.entries(connection, round_.round, round_.list_version)]


async def may_read(_pool: Pool, staff: Staff | None, _list: str) -> bool:
    """Who may download a list's files: the office and auditors; a stamped list has a public address of its own."""
    return staff is not None and staff.has(Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)


def list_object(round_id: str, version: int) -> str:
    """How the log and attachments name a list."""
    return f"{round_id}/{version}"


def _names(round_: Round) -> dict[str, str]:
    return {card.candidate: card.title for card in round_.candidates}


async def _locked(connection: Connection, round_id: str) -> Round:
    if "\0" in round_id:
        raise rounds.unknown_round(round_id)
    await rounds.lock_round(connection, round_id)
    return await rounds.require_round(connection, round_id)


async def _proposal(connection: Connection, round_id: str, number: int) -> Proposal:
    proposal = await proposal_store.load(connection, round_id, number)
    if proposal is None:
        raise Refusal(RegistryReason.UNKNOWN_PROPOSAL, "There is no such proposal in this round.")
    return proposal

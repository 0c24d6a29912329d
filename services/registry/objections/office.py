"""What the office does with objections: owner, call-back, decision, second signature, opening the objector's name.

Invariant: nobody handles, or even reads, what concerns a unit or channel of their own; upholding takes two people;
every read of an objection's text or of its objector is in the log. Called by `api.py`.
"""

from datetime import datetime
from typing import Any

import msgspec

from services.registry import attachments
from services.registry.log.record import record
from services.registry.objections import store
from services.registry.objections.intake import KIND, Intake, parse_receipt
from services.registry.objections.rules import (
    OPEN_STATES,
    REPLY_MAX,
    Decision,
    ObjectionKind,
    ObjectionState,
    Person,
    Remedy,
)  # fmt: skip
from services.registry.objections.store import Objection
from services.registry.reasons import RegistryReason
from services.registry.rounds import access
from services.registry.rounds import store as rounds
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff

OFFICE = (Role.ADMINISTRATOR, Role.REVIEWER)
FILES_MAX = 5


class OwnerForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    owner: str


class ContactForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The office called the objector back at the phone they left."""

    version: int


class DecisionForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reply` is what the objector reads; `remedy` is asked for where the objection is upheld."""

    version: int
    decision: Decision
    reply: str
    remedy: Remedy | None = None


class SecondForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`agree` false sends the decision back to the owner, with a reason."""

    version: int
    agree: bool = True
    reason: str = ""


class OpeningForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the name is opened; it stands in the log."""

    reason: str


async def read(pool: Pool, text: str, staff: Staff, now: datetime) -> Objection:
    """A whole objection without its objector; the read is logged."""
    found = await _find(pool, text)
    await access.require_no_interest(pool, found.round, staff, _about(found))
    await _log(pool, found, staff, "objection.read", now, personal=True)
    return found


async def own(pool: Pool, text: str, form: OwnerForm, staff: Staff, now: datetime) -> None:
    """Say who handles it; the owner must be of the office and without interest of their own."""
    async with transaction(pool) as connection:
        held = await _hold(connection, text, staff, form.version, OPEN_STATES)
        facts = await store.staff_facts(connection, form.owner)
        if facts is None or not {role.value for role in OFFICE} & set(facts[0]):
            raise Refusal(
                RegistryReason.UNKNOWN_STAFF, "The owner must be a reviewer or administrator with an account."
            )
        if await rounds.concerns(connection, held.round, _about(held), facts[1], facts[2]):
            raise Refusal(
                RegistryReason.CONFLICT_OF_INTEREST, "It concerns the owner's unit or channel; choose another."
            )
        state = held.state if held.state is ObjectionState.DECIDING else ObjectionState.ASSIGNED
        await store.change(connection, held.receipt, owner=form.owner, state=state.value)
        await _log(connection, held, staff, "objection.assigned", now, after={"owner": form.owner})


async def contact(pool: Pool, text: str, form: ContactForm, staff: Staff, now: datetime) -> None:
    """Note that the objector was reached by phone."""
    async with transaction(pool) as connection:
        held = await _hold(connection, text, staff, form.version, OPEN_STATES)
        if not held.has_person:
            raise Refusal(RegistryReason.BAD_OBJECTION, "A lead has nobody to be called back.")
        await store.change(connection, held.receipt, contacted_at=now)
        await _log(connection, held, staff, "objection.contacted", now, personal=True)


async def decide(pool: Pool, text: str, form: DecisionForm, staff: Staff, now: datetime) -> None:
    """Answer it; upholding takes effect with the second signature only. The owner decides, or an administrator."""
    async with transaction(pool) as connection:
        held = await _hold(connection, text, staff, form.version, (ObjectionState.RECEIVED, ObjectionState.ASSIGNED))
        if not staff.has(Role.ADMINISTRATOR) and held.owner != staff.staff:
            raise Refusal(CommonReason.FORBIDDEN, "Its owner decides an objection, or an administrator.")
        _require_decision(form, held)
        upheld = form.decision is Decision.UPHELD
        state = ObjectionState.DECIDING if upheld else ObjectionState(form.decision.value)
        await store.change(
            connection, held.receipt, state=state.value, reply=form.reply.strip(),
            remedy=form.remedy.value if form.remedy else "", decided_by=staff.staff, confirmed_by="",
            owner=held.owner or staff.staff, answered_at=None if upheld else now,
        )  # fmt: skip
        action = "objection.upholding_proposed" if upheld else f"objection.{form.decision}"
        await _log(connection, held, staff, action, now, after={"remedy": form.remedy})


async def second(pool: Pool, text: str, form: SecondForm, staff: Staff, now: datetime) -> None:
    """Second signature under upholding, or its return to the owner."""
    async with transaction(pool) as connection:
        held = await _hold(connection, text, staff, form.version, (ObjectionState.DECIDING,))
        if held.decided_by == staff.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You decided this; a different person must confirm it.")
        if form.agree:
            await store.change(connection, held.receipt, state="upheld", confirmed_by=staff.staff, answered_at=now)
            await _log(connection, held, staff, "objection.upheld", now)
            return
        if not form.reason.strip():
            raise Refusal(RegistryReason.REASON_MISSING, "Say why the decision goes back.")
        await store.change(connection, held.receipt, state="assigned", reply="", remedy="", decided_by="")
        await _log(connection, held, staff, "objection.returned", now, after={"reason": form.reason.strip()})


async def open_person(pool: Pool, intake: Intake, text: str, form: OpeningForm, staff: Staff, now: datetime) -> Person:
    """Who objected. A sealed one is opened by its owner only. The read commits before the name leaves."""
    async with transaction(pool) as connection:
        found = await _find(connection, text)
        await access.require_no_interest(connection, found.round, staff, _about(found))
        if found.kind == ObjectionKind.SEALED and found.owner != staff.staff:
            raise Refusal(CommonReason.FORBIDDEN, "A sealed name is opened by the objection's owner only.")
        if not form.reason.strip():
            raise Refusal(RegistryReason.REASON_MISSING, "Say why the name is needed; it is kept in the log.")
        sealed = await store.sealed_person(connection, found.receipt)
        if sealed is None:
            raise Refusal(RegistryReason.BAD_OBJECTION, "A lead has no name.")
        person = intake.open_person(found.receipt, sealed)
        await _log(
            connection, found, staff, "objection.person_read", now, personal=True,
            after={"reason": form.reason.strip()[:500]},
        )  # fmt: skip
    return person


async def may_read(pool: Pool, staff: Staff | None, receipt: str) -> bool:
    """Who may download an objection's files: the office and auditors, where it does not concern their own."""
    if staff is None or not staff.has(*OFFICE, Role.AUDITOR):
        return False
    found = await store.load(pool, receipt)
    return found is not None and not await rounds.concerns(pool, found.round, _about(found), staff.unit, staff.channel)


async def require_room(connection: Connection | Pool, text: str) -> Objection:
    """The objection, where it is open and has room for another file; each file is in the log, who sent it is not."""
    found = await _find(connection, text)
    if found.state not in OPEN_STATES:
        raise Refusal(RegistryReason.OBJECTION_ANSWERED, "The objection is answered; nothing can be added.")
    if len(await attachments.of(connection, KIND, found.receipt)) >= FILES_MAX:
        raise Refusal(RegistryReason.BAD_OBJECTION, f"An objection may have at most {FILES_MAX} files.")
    return found


async def find_public(pool: Pool, text: str) -> Objection:
    """What a receipt leads to; raises Refusal `unknown_objection`."""
    return await _find(pool, text)


def actions(found: Objection, staff: Staff) -> list[str]:
    """What this person may do with it next."""
    if not staff.has(*OFFICE):
        return []
    can = []
    if found.state in OPEN_STATES:
        can.append("owner")
    if found.state in (ObjectionState.RECEIVED, ObjectionState.ASSIGNED) and (
        staff.has(Role.ADMINISTRATOR) or found.owner == staff.staff
    ):
        can.append("decision")
    if found.state is ObjectionState.DECIDING and found.decided_by != staff.staff:
        can.append("confirmation")
    if found.has_person and (found.kind == ObjectionKind.NAMED or found.owner == staff.staff):
        can += ["person"] if found.contacted_at or found.state not in OPEN_STATES else ["person", "contact"]
    return can


def _require_decision(form: DecisionForm, held: Objection) -> None:
    if not form.reply.strip() or len(form.reply) > REPLY_MAX or "\0" in form.reply:
        raise Refusal(RegistryReason.BAD_DECISION, f"Give the reply, in at most {REPLY_MAX} characters.")
    if (held.kind == ObjectionKind.LEAD) != (form.decision is Decision.NOTED) and form.decision is not Decision.UPHELD:
        raise Refusal(RegistryReason.BAD_DECISION, "A lead is noted or upheld; an objection is upheld or not upheld.")
    if (form.decision is Decision.UPHELD) != (form.remedy is not None):
        raise Refusal(RegistryReason.BAD_DECISION, "remedy says what follows from upholding, and only then.")


async def _find(connection: Connection | Pool, text: str) -> Objection:
    receipt = parse_receipt(text)
    found = await store.load(connection, receipt) if receipt else None
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_OBJECTION, "No objection has this receipt; check it letter by letter.")
    return found


async def _hold(
    connection: Connection, text: str, staff: Staff, version: int, states: tuple[ObjectionState, ...]
) -> Objection:
    receipt = parse_receipt(text)
    held = await store.hold(connection, receipt) if receipt else None
    if held is None:
        raise Refusal(RegistryReason.UNKNOWN_OBJECTION, "No objection has this receipt; check it letter by letter.")
    await access.require_no_interest(connection, held.round, staff, _about(held))
    if held.version != version:
        raise Refusal(
            RegistryReason.STALE_VERSION, "Somebody handled it meanwhile; read it again.", version=held.version
        )
    if held.state not in states:
        reason = RegistryReason.ALREADY_DECIDED if held.state in OPEN_STATES else RegistryReason.OBJECTION_ANSWERED
        raise Refusal(reason, f"The objection is {held.state} already.")
    return held


def _about(found: Objection) -> list[str]:
    """The candidate that an objection names; none where it is against the list as a whole."""
    return [] if found.candidate is None else [found.candidate]


async def _log(
    connection: Connection | Pool, found: Objection, staff: Staff, action: str, now: datetime, *,
    personal: bool = False, after: Any = None,
) -> None:  # fmt: skip
    await record(
        connection, now, staff.staff, action, KIND, found.receipt, round_id=found.round, after=after,
        personal=personal,
    )  # fmt: skip

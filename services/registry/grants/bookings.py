"""Expenditure and own funds: booked with a voucher, checked by the office, corrected by reversal (storno).

Invariant: a voucher's content counts once over all projects; a booking is never changed. An over-spend is booked
all the same and flagged; the project cannot be settled before it is covered.
"""

from datetime import date, datetime
from uuid import UUID

import msgspec

from services.registry import metrics
from services.registry.grants import access, reading, store
from services.registry.grants.desk import MONEY_STATES, Act, act_on, text
from services.registry.grants.money import amount
from services.registry.grants.records import Booking, BookingKind, CheckOutcome
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff

PURPOSE_MAX = 200


class BookingForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A booking; its id is made by whoever books, so that a repeat is harmless. `voucher` is an attachment."""

    booking: UUID
    kind: BookingKind
    line: int
    amount: str
    spent_on: date
    purpose: str
    voucher: str


class ReversalForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`booking` is the id of the new, opposite booking."""

    booking: UUID
    reason: str


class CheckForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    outcome: CheckOutcome
    comment: str = ""


async def book(
    pool: Pool, round_id: str, candidate: str, form: BookingForm, staff: Staff, now: datetime
) -> tuple[Booking, bool]:
    """(the booking, was it made now); the same booking again is the same.

    Raises Refusal `bad_booking`, `bad_amount`, `voucher_missing`, `voucher_used`, `id_reused`, `wrong_state`.
    """
    async with act_on(pool, round_id, candidate, staff, now) as act:
        _require_booker(act)
        act.require_state(*MONEY_STATES)
        wanted = await _checked(act, form)
        sha256 = (await act.require_files([form.voucher]))[form.voucher]
        if not await store.insert_booking(act.connection, act.project, wanted, sha256):
            return await _repeated(act, wanted, sha256), False
        facts = {"booking": str(wanted.booking), "kind": wanted.kind, "line": wanted.line, "amount": str(wanted.amount)}
        await act.log("booked", {**facts, "voucher": wanted.voucher})
        metrics.project_bookings_total.labels(wanted.kind.value).inc()
        return wanted, True


def _require_booker(act: Act) -> None:
    """The project's own unit, or the office for a unit that has only paper."""
    if not access.is_units(act.staff, act.project):
        access.require_office(act.staff, act.project)


async def _checked(act: Act, form: BookingForm) -> Booking:
    if form.line not in {line.line for line in await reading.lines(act.connection, act.project)}:
        raise Refusal(RegistryReason.BAD_BOOKING, f"Line {form.line} is not one of this project's budget lines.")
    if form.spent_on > act.today:
        raise Refusal(RegistryReason.BAD_BOOKING, f"spent_on is {form.spent_on}, which has not come yet.")
    return Booking(
        booking=form.booking, kind=form.kind, line=form.line, amount=amount(form.amount, "amount"),
        spent_on=form.spent_on, purpose=text(form.purpose, "purpose", RegistryReason.BAD_BOOKING, PURPOSE_MAX),
        voucher=form.voucher, reverses=None, reason="", booked_by=act.staff.staff, booked_at=act.now,
        reversed_by=None, check=None,
        outside_period=not act.project.starts_on <= form.spent_on <= act.project.ends_on,
    )  # fmt: skip


async def _repeated(act: Act, wanted: Booking, sha256: bytes) -> Booking:
    """What stood in the way of an insert: the same booking is fine, everything else is told."""
    known = await _find(act, wanted.booking)
    if known is not None and _same(known, wanted):
        return known
    used = await store.voucher_use(act.connection, sha256)
    if known is None and used is not None and used["booking"] != wanted.booking:
        metrics.vouchers_used_twice_total.inc()
        where = {name: str(value) for name, value in used.items()} if act.staff.has(*access.OFFICE) else None
        raise Refusal(
            RegistryReason.VOUCHER_USED, "This voucher is booked already; each counts once over all projects.",
            used_by=where,
        )  # fmt: skip
    raise Refusal(RegistryReason.ID_REUSED, "This booking id names another booking; make a new random id.")


def _same(known: Booking, wanted: Booking) -> bool:
    names = ("kind", "line", "amount", "spent_on", "purpose", "voucher", "reverses", "reason")
    return all(getattr(known, name) == getattr(wanted, name) for name in names)


async def _find(act: Act, booking: UUID) -> Booking | None:
    known = await reading.bookings(act.connection, act.project)
    return next((each for each in known if each.booking == booking), None)


async def _known(act: Act, booking: UUID) -> Booking:
    found = await _find(act, booking)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_BOOKING, "This project has no such booking; load the project again.")
    return found


async def reverse(
    pool: Pool, round_id: str, candidate: str, booking: UUID, form: ReversalForm, staff: Staff, now: datetime
) -> tuple[Booking, bool]:
    """(the opposite booking, was it made now); raises Refusal `already_reversed`, `unknown_booking`, `id_reused`."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        _require_booker(act)
        act.require_state(*MONEY_STATES)
        wrong = await _known(act, booking)
        if wrong.reverses is not None:
            raise Refusal(RegistryReason.BAD_BOOKING, "A reversal cannot be reversed; book the right amount anew.")
        why = text(form.reason, "reason", RegistryReason.REASON_MISSING)
        opposite = msgspec.structs.replace(
            wrong, booking=form.booking, amount=-wrong.amount, reverses=booking, reason=why, booked_by=staff.staff,
            booked_at=now, reversed_by=None, check=None,
        )  # fmt: skip
        sha256 = (await act.require_files([wrong.voucher]))[wrong.voucher]
        if not await store.insert_booking(act.connection, act.project, opposite, sha256):
            return await _reversed_before(act, opposite), False
        await act.log("booking_reversed", {"booking": str(booking), "by": str(form.booking), "reason": why})
        return opposite, True


async def _reversed_before(act: Act, wanted: Booking) -> Booking:
    known = await _find(act, wanted.booking)
    if known is not None and _same(known, wanted):
        return known
    if known is None:
        raise Refusal(RegistryReason.ALREADY_REVERSED, "This booking is reversed already; book the right amount anew.")
    raise Refusal(RegistryReason.ID_REUSED, "This booking id names another booking; make a new random id.")


async def check(
    pool: Pool, round_id: str, candidate: str, booking: UUID, form: CheckForm, staff: Staff, now: datetime
) -> Booking:
    """The office's look at a booking, by somebody who did not book it; the newest counts."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        act.require_state(*MONEY_STATES)
        found = await _known(act, booking)
        if found.booked_by == staff.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You booked this; a different colleague must check it.")
        if found.reverses is not None or found.reversed_by is not None:
            raise Refusal(RegistryReason.ALREADY_REVERSED, "A reversed booking needs no check.")
        queried = form.outcome is CheckOutcome.QUERIED
        why = text(form.comment, "comment", RegistryReason.REASON_MISSING, required=queried)
        await store.insert_check(act.connection, booking, form.outcome.value, why, staff.staff, now)
        await act.log("booking_checked", {"booking": str(booking), "outcome": form.outcome, "comment": why})
        return await _known(act, booking)

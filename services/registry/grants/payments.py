"""Money between office and unit: instalments paid out, what comes back after settlement; corrected by reversal."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from services.registry.grants import access, reading, store
from services.registry.grants.desk import MONEY_STATES, Act, act_on, text
from services.registry.grants.money import ZERO, amount
from services.registry.grants.records import Payment, PaymentKind, State
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff

DOCUMENT_MAX = 100


class PaymentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment; its id is made by whoever enters it. `instalment` goes with the kind `instalment` only."""

    payment: UUID
    kind: PaymentKind
    amount: str
    paid_on: date
    document_number: str
    instalment: int | None = None


class PaymentReversalForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`payment` is the id of the new, opposite entry."""

    payment: UUID
    reason: str


async def pay(
    pool: Pool, round_id: str, candidate: str, form: PaymentForm, staff: Staff, now: datetime
) -> tuple[Payment, bool]:
    """(the payment, was it entered now); the same entry again is the same.

    Raises Refusal `not_selected` (what is returned comes all the same), `bad_payment`, `bad_amount`, `id_reused`,
    `wrong_state`.
    """
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        act.require_state(*MONEY_STATES, State.SETTLED)
        wanted = Payment(
            payment=form.payment, kind=form.kind, instalment=form.instalment, amount=amount(form.amount, "amount"),
            paid_on=form.paid_on, document_number=_document(form.document_number), reverses=None, reason="",
            entered_by=staff.staff, entered_at=now,
        )  # fmt: skip
        known = await _find(act, form.payment)
        if known is not None:
            return _same_or_refused(known, wanted), False
        await _require_due(act, wanted)
        await store.insert_payment(act.connection, act.project, wanted)
        facts = {"payment": str(wanted.payment), "kind": wanted.kind, "instalment": wanted.instalment}
        await act.log("paid", {**facts, "amount": str(wanted.amount), "document_number": wanted.document_number})
        return wanted, True


def _document(number: str) -> str:
    return text(number, "document_number", RegistryReason.BAD_PAYMENT, DOCUMENT_MAX)


async def _require_due(act: Act, wanted: Payment) -> None:
    if wanted.paid_on > act.today:
        raise _bad(f"paid_on is {wanted.paid_on}, which has not come yet.")
    settled = await reading.settlement(act.connection, act.project)
    if wanted.kind is PaymentKind.RETURN:
        due = max(act.project.paid - settled.eligible, ZERO) if settled else ZERO
        what = "what is to be returned after settlement"
    else:
        act.require_selected()
        due = await _due_of(act, wanted.instalment)
        what = f"what is still to be paid of instalment {wanted.instalment}"
        if settled:
            due = min(due, max(settled.eligible - act.project.paid, ZERO))
    if wanted.amount > due:
        raise _bad(f"{wanted.amount} is more than {what}: {due}.")


async def _due_of(act: Act, number: int | None) -> Decimal:
    planned = {each.instalment: each.amount for each in await reading.instalments(act.connection, act.project)}
    if number not in planned:
        raise _bad(f"instalment must be one of: {', '.join(str(each) for each in planned)}.")
    return planned[number] - await reading.paid_for(act.connection, act.project, number)


def _bad(detail: str) -> Refusal:
    return Refusal(RegistryReason.BAD_PAYMENT, detail)


async def _find(act: Act, payment: UUID) -> Payment | None:
    known = await reading.payments(act.connection, act.project)
    return next((each for each in known if each.payment == payment), None)


def _same_or_refused(known: Payment, wanted: Payment) -> Payment:
    names = ("kind", "instalment", "amount", "paid_on", "document_number", "reverses", "reason")
    if all(getattr(known, name) == getattr(wanted, name) for name in names):
        return known
    raise Refusal(RegistryReason.ID_REUSED, "This payment id names another payment; make a new random id.")


async def reverse(
    pool: Pool, round_id: str, candidate: str, payment: UUID, form: PaymentReversalForm, staff: Staff, now: datetime
) -> tuple[Payment, bool]:
    """(the opposite entry, was it made now); raises Refusal `unknown_payment`, `already_reversed`, `id_reused`."""
    async with act_on(pool, round_id, candidate, staff, now) as act:
        access.require_office(staff, act.project)
        wrong = await _find(act, payment)
        if wrong is None or wrong.reverses is not None:
            raise Refusal(RegistryReason.UNKNOWN_PAYMENT, "This project has no such payment; load the project again.")
        why = text(form.reason, "reason", RegistryReason.REASON_MISSING)
        opposite = msgspec.structs.replace(
            wrong, payment=form.payment, amount=-wrong.amount, reverses=payment, reason=why, entered_by=staff.staff,
            entered_at=now,
        )  # fmt: skip
        known = await _find(act, form.payment)
        if known is not None:
            return _same_or_refused(known, opposite), False
        if not await store.insert_payment(act.connection, act.project, opposite):
            raise Refusal(RegistryReason.ALREADY_REVERSED, "This payment is reversed already.")
        await act.log("payment_reversed", {"payment": str(payment), "by": str(form.payment), "reason": why})
        return opposite, True

"""What a proposal must be and what it does: grant, change of budget, acceptance, settlement.

Every check runs twice, when proposed and in the last signature's transaction, so that nothing takes effect on figures
that moved meanwhile. Called by `proposals.py` only.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from services.registry.grants import reading, store
from services.registry.grants.desk import MONEY_STATES, Act, text
from services.registry.grants.money import ZERO, Move, Settlement, amount, moved, settle
from services.registry.grants.records import (
    Acceptance,
    CheckOutcome,
    Instalment,
    Opinion,
    ProposalKind,
    State,
    TargetOutcome,
    TargetResult,
)
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

INSTALMENTS_MAX = 24


class LineAmount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    line: int
    amount: str


class InstalmentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: str
    planned_on: date


class GrantForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every line of the application with its approved amount ("0" where nothing is granted), and the instalments."""

    lines: list[LineAmount]
    instalments: list[InstalmentForm]
    reason: str


class ChangeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Moves of approved money between lines (预算调剂), and why."""

    moves: list[Move]
    reason: str


class TargetForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    target: int
    outcome: TargetOutcome
    remark: str = ""
    evidence: list[str] = []


class AcceptanceForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of every target, the opinion, and with `rectify` the day before which all is put right."""

    targets: list[TargetForm]
    opinion: Opinion
    reason: str
    rectify_before: date | None = None


class SettlementForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`disallowed` is what the office does not accept of otherwise eligible spending.

    `figures` are filled in when it is proposed: what the signatures stand under.
    """

    reason: str
    disallowed: str = "0"
    figures: dict[str, str] = {}


Form = GrantForm | ChangeForm | AcceptanceForm | SettlementForm


@dataclass(frozen=True, slots=True)
class Effect:
    """One kind of proposal: its form, when it is possible, its check (which gives the content) and what it does."""

    form: type[Form]
    states: tuple[State, ...]
    prepare: Callable[[Act, Any], Awaitable[Form]]
    apply: Callable[[Act, UUID, Any], Awaitable[None]]


async def _grant(act: Act, form: GrantForm) -> tuple[dict[int, Decimal], list[Instalment]]:
    """(line → approved, instalments); raises Refusal `not_selected`, `bad_grant` or `bad_amount`."""
    act.require_selected()
    lines = {line.line: line for line in await reading.lines(act.connection, act.project)}
    if sorted(each.line for each in form.lines) != sorted(lines):
        raise _bad_grant(f"Name every line exactly once: {', '.join(str(line) for line in lines)}.")
    approved: dict[int, Decimal] = {}
    for each in form.lines:
        approved[each.line] = amount(each.amount, f"the amount of line {each.line}", zero=True)
        requested = lines[each.line].requested
        if approved[each.line] > requested:
            raise _bad_grant(f"Line {each.line} asked for {requested}; {approved[each.line]} is more.")
    total = sum(approved.values(), ZERO)
    if total == 0 or not 1 <= len(form.instalments) <= INSTALMENTS_MAX:
        raise _bad_grant(f"Grant more than 0, in 1 to {INSTALMENTS_MAX} instalments.")
    instalments = [
        Instalment(number, amount(each.amount, f"instalment {number}"), each.planned_on)
        for number, each in enumerate(form.instalments, start=1)
    ]
    planned = sum((each.amount for each in instalments), ZERO)
    if planned != total:
        raise _bad_grant(f"The instalments come to {planned}, the lines to {total}; they must be equal.")
    return approved, instalments


def _bad_grant(detail: str) -> Refusal:
    return Refusal(RegistryReason.BAD_GRANT, detail)


async def _prepare_grant(act: Act, form: GrantForm) -> GrantForm:
    await _grant(act, form)
    return form


async def _apply_grant(act: Act, proposal: UUID, form: GrantForm) -> None:
    approved, instalments = await _grant(act, form)
    await store.insert_amounts(act.connection, act.project, proposal, approved)
    await store.insert_instalments(act.connection, act.project, instalments)


async def _prepare_change(act: Act, form: ChangeForm) -> ChangeForm:
    moved(await reading.lines(act.connection, act.project), form.moves)
    return form


async def _apply_change(act: Act, proposal: UUID, form: ChangeForm) -> None:
    deltas = moved(await reading.lines(act.connection, act.project), form.moves)
    await store.insert_amounts(act.connection, act.project, proposal, deltas)


async def _prepare_acceptance(act: Act, form: AcceptanceForm) -> AcceptanceForm:
    """Raises Refusal `bad_acceptance`, `voucher_missing` or `findings_open`."""
    targets = [each.target for each in await reading.targets(act.connection, act.project)]
    if sorted(each.target for each in form.targets) != targets:
        raise _bad_acceptance(f"Answer every target exactly once: {', '.join(str(target) for target in targets)}.")
    for each in form.targets:
        text(each.remark, f"The remark on target {each.target}", RegistryReason.BAD_ACCEPTANCE, required=False)
        if each.outcome is not TargetOutcome.NOT_MET and not each.evidence:
            raise _bad_acceptance(f"Target {each.target} is {each.outcome} without evidence; name an attachment.")
        await act.require_files(each.evidence)
    if form.opinion is Opinion.PASSED:
        await _require_passable(act, form)
    if (form.opinion is Opinion.RECTIFY) != (form.rectify_before is not None):
        raise _bad_acceptance("rectify_before goes with the opinion rectify, and only with it.")
    if form.rectify_before is not None and form.rectify_before <= act.today:
        raise _bad_acceptance(f"rectify_before is {form.rectify_before}; it must lie after today.")
    return form


async def _require_passable(act: Act, form: AcceptanceForm) -> None:
    missed = [each.target for each in form.targets if each.outcome is TargetOutcome.NOT_MET]
    if missed:
        raise _bad_acceptance(f"Target {missed[0]} is not met, so the opinion is rectify or failed.")
    inspections = await reading.inspections(act.connection, act.project)
    open_count = sum(finding.state != "closed" for each in inspections for finding in each.findings)
    if open_count:
        raise Refusal(
            RegistryReason.FINDINGS_OPEN,
            f"{open_count} findings of inspections are not closed; close them, or choose rectify.",
            findings=open_count,
        )


def _bad_acceptance(detail: str) -> Refusal:
    return Refusal(RegistryReason.BAD_ACCEPTANCE, detail)


async def _apply_acceptance(act: Act, proposal: UUID, form: AcceptanceForm) -> None:
    await _prepare_acceptance(act, form)
    attempt = len(await reading.acceptances(act.connection, act.project)) + 1
    targets = [TargetResult(each.target, each.outcome, each.remark.strip(), each.evidence) for each in form.targets]
    late = act.today >= act.project.acceptance_due
    decided = Acceptance(attempt, form.opinion, form.reason, form.rectify_before, late, act.now, targets)
    await store.insert_acceptance(act.connection, act.project, proposal, decided, targets)


async def _figures(act: Act, form: SettlementForm) -> Settlement:
    """The money as it stands; raises Refusal `overspend_open`, `unchecked_bookings` or `bad_amount`."""
    lines = await reading.lines(act.connection, act.project)
    uncovered = {line.line: line.uncovered for line in lines if line.uncovered}
    if uncovered:
        named = ", ".join(f"line {line} by {over}" for line, over in uncovered.items())
        raise Refusal(
            RegistryReason.OVERSPEND_OPEN,
            f"Overspent: {named}; cover it by an approved change of budget or by own funds.",
            lines={str(line): str(over) for line, over in uncovered.items()},
        )
    waiting = [
        each for each in await reading.bookings(act.connection, act.project)
        if each.reverses is None and each.reversed_by is None
        and (each.check is None or each.check.outcome is not CheckOutcome.CONFIRMED)
    ]  # fmt: skip
    if waiting:
        raise Refusal(
            RegistryReason.UNCHECKED_BOOKINGS, f"{len(waiting)} bookings are not confirmed; check them first.",
            bookings=len(waiting),
        )  # fmt: skip
    return settle(lines, act.project.paid, amount(form.disallowed, "disallowed", zero=True))


async def _prepare_settlement(act: Act, form: SettlementForm) -> SettlementForm:
    figures = msgspec.structs.asdict(await _figures(act, form))
    return msgspec.structs.replace(form, figures={name: str(value) for name, value in figures.items()})


async def _apply_settlement(act: Act, proposal: UUID, form: SettlementForm) -> None:
    figures = await _figures(act, form)
    now = {name: str(value) for name, value in msgspec.structs.asdict(figures).items()}
    if now != form.figures:
        raise Refusal(
            RegistryReason.FIGURES_CHANGED,
            "Money moved since this settlement was proposed; refuse it and have it proposed again.",
            figures=now,
        )
    await store.insert_settlement(act.connection, act.project, proposal, figures, act.now)


EFFECTS: dict[ProposalKind, Effect] = {
    ProposalKind.GRANT: Effect(GrantForm, (State.OPENED,), _prepare_grant, _apply_grant),
    ProposalKind.BUDGET_CHANGE: Effect(ChangeForm, MONEY_STATES, _prepare_change, _apply_change),
    ProposalKind.ACCEPTANCE: Effect(
        AcceptanceForm, (State.RUNNING, State.RECTIFYING), _prepare_acceptance, _apply_acceptance
    ),
    ProposalKind.SETTLEMENT: Effect(
        SettlementForm, (State.ACCEPTED, State.FAILED), _prepare_settlement, _apply_settlement
    ),
}

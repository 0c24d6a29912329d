"""A project and everything booked, found and decided about it, as plain values. Pure; built by `reading.py`."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from services.registry.grants.money import LineBalance, Settlement

KIND = "project"
# Signatures of the office under every proposal; who proposes for the office has signed by proposing.
APPROVALS_NEEDED = 2


class State(StrEnum):
    """Where a project stands; derived from its rows, never stored."""

    OPENED = "opened"
    RUNNING = "running"
    RECTIFYING = "rectifying"
    ACCEPTED = "accepted"
    FAILED = "failed"
    SETTLED = "settled"


class ProposalKind(StrEnum):
    """Acts that need two people of the office."""

    GRANT = "grant"
    BUDGET_CHANGE = "budget_change"
    ACCEPTANCE = "acceptance"
    SETTLEMENT = "settlement"


class Decision(StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"


class BookingKind(StrEnum):
    """What a unit books: money spent, or its own money (自筹) put into a line."""

    EXPENDITURE = "expenditure"
    OWN_FUNDS = "own_funds"


class CheckOutcome(StrEnum):
    CONFIRMED = "confirmed"
    QUERIED = "queried"


class InspectionOutcome(StrEnum):
    IN_ORDER = "in_order"
    FINDINGS = "findings"
    CANCELLED = "cancelled"


class FindingStep(StrEnum):
    """What became of a finding: `remedied` by the unit, then `closed` or `reopened` by the office."""

    REMEDIED = "remedied"
    CLOSED = "closed"
    REOPENED = "reopened"


class TargetOutcome(StrEnum):
    MET = "met"
    PARTLY = "partly"
    NOT_MET = "not_met"


class Opinion(StrEnum):
    """The opinion of an acceptance; `rectify` (整改) leads to another one."""

    PASSED = "passed"
    RECTIFY = "rectify"
    FAILED = "failed"


class PaymentKind(StrEnum):
    INSTALMENT = "instalment"
    RETURN = "return"


class Overdue(StrEnum):
    """What waits too long; a label of a metric."""

    INSPECTION = "inspection"
    FINDING = "finding"
    ACCEPTANCE = "acceptance"
    OVERSPEND = "overspend"


class Project(msgspec.Struct, frozen=True):
    """The head of a project: whose it is, its period, where it stands, its sums in yuan.

    `selected` says whether the newest list that a meeting confirmed selects it still; a retracted list selects nobody.
    """

    round: str
    candidate: str
    number: int
    title: str
    unit: str
    unit_name: str
    channel: str
    channel_name: str
    level: str
    category: str
    list_version: int
    selected: bool
    timezone: str
    starts_on: date
    ends_on: date
    accept_before: date
    opened_by: str
    opened_at: datetime
    granted: Decimal | None
    paid: Decimal
    opinion: Opinion | None
    rectify_before: date | None
    settled_at: datetime | None

    @property
    def object_id(self) -> str:
        """What attachments and log entries name this project by."""
        return f"{self.round}/{self.candidate}"

    @property
    def state(self) -> State:
        if self.settled_at is not None:
            return State.SETTLED
        if self.granted is None:
            return State.OPENED
        by_opinion = {None: State.RUNNING, Opinion.RECTIFY: State.RECTIFYING, Opinion.PASSED: State.ACCEPTED}
        return by_opinion.get(self.opinion, State.FAILED)

    @property
    def acceptance_due(self) -> date:
        """The day before which the next acceptance must be: the project's, or the one set for putting right."""
        return self.rectify_before or self.accept_before


class Signature(msgspec.Struct, frozen=True):
    signer: str
    decision: Decision
    reason: str
    signed_at: datetime


class Proposal(msgspec.Struct, frozen=True):
    """An act that waits for its signatures, took effect, or was refused."""

    proposal: UUID
    kind: ProposalKind
    content: dict[str, object]
    reason: str
    proposed_by: str
    proposed_at: datetime
    signatures: list[Signature]

    @property
    def state(self) -> str:
        """`refused` after one refusal, `effective` after two approvals, else `open`."""
        if any(each.decision is Decision.REFUSE for each in self.signatures):
            return "refused"
        return "effective" if len(self.signatures) >= APPROVALS_NEEDED else "open"


class Target(msgspec.Struct, frozen=True):
    target: int
    text: str
    measure: str
    due_on: date | None


class Instalment(msgspec.Struct, frozen=True):
    instalment: int
    amount: Decimal
    planned_on: date


class Payment(msgspec.Struct, frozen=True):
    payment: UUID
    kind: PaymentKind
    instalment: int | None
    amount: Decimal
    paid_on: date
    document_number: str
    reverses: UUID | None
    reason: str
    entered_by: str
    entered_at: datetime


class Check(msgspec.Struct, frozen=True):
    outcome: CheckOutcome
    comment: str
    checked_by: str
    checked_at: datetime


class Booking(msgspec.Struct, frozen=True):
    """One booking with the newest look of the office; `outside_period` flags money spent out of its time."""

    booking: UUID
    kind: BookingKind
    line: int
    amount: Decimal
    spent_on: date
    purpose: str
    voucher: str
    reverses: UUID | None
    reason: str
    booked_by: str
    booked_at: datetime
    reversed_by: UUID | None
    check: Check | None
    outside_period: bool


class StepTaken(msgspec.Struct, frozen=True):
    step: FindingStep
    text: str
    evidence: str | None
    due_on: date | None
    actor: str
    at: datetime


class Finding(msgspec.Struct, frozen=True):
    """What an inspection found; `due_on` is the newest due date, `state` open, remedied or closed."""

    finding: UUID
    text: str
    remedy: str
    due_on: date
    steps: list[StepTaken]

    @property
    def state(self) -> str:
        last = self.steps[-1].step if self.steps else FindingStep.REOPENED
        return {FindingStep.REOPENED: "open"}.get(last, last.value)


class Report(msgspec.Struct, frozen=True):
    outcome: InspectionOutcome
    held_on: date
    summary: str
    reported_by: str
    reported_at: datetime


class Inspection(msgspec.Struct, frozen=True):
    inspection: UUID
    planned_on: date
    topic: str
    planned_by: str
    planned_at: datetime
    report: Report | None
    findings: list[Finding]


class TargetResult(msgspec.Struct, frozen=True):
    target: int
    outcome: TargetOutcome
    remark: str
    evidence: list[str]


class Acceptance(msgspec.Struct, frozen=True):
    """One attempt at acceptance; `late` where it was decided on or after the day it had to be before."""

    attempt: int
    opinion: Opinion
    text: str
    rectify_before: date | None
    late: bool
    decided_at: datetime
    targets: list[TargetResult]


class Dossier(msgspec.Struct, frozen=True):
    """Everything about a project, in the order it happened."""

    project: Project
    lines: list[LineBalance]
    targets: list[Target]
    proposals: list[Proposal]
    instalments: list[Instalment]
    payments: list[Payment]
    bookings: list[Booking]
    inspections: list[Inspection]
    acceptances: list[Acceptance]
    settlement: Settlement | None

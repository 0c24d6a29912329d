"""Projects in PostgreSQL: everything that is written about them. Rows are appended, never changed; `reading.py` reads.

Callers hold `lock_project` (or the round's lock) in their transaction, so that what they checked still holds.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.registry.grants.money import Settlement
from services.registry.grants.records import (
    Acceptance,
    Booking,
    Decision,
    FindingStep,
    Instalment,
    Payment,
    Project,
    Proposal,
    ProposalKind,
    Report,
    TargetResult,
)
from services.shared.postgres import Connection

PROJECT_LOCK = 0x7079


async def lock_project(connection: Connection, round_id: str, candidate: str) -> None:
    """Serialise changes of one project within the caller's transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", PROJECT_LOCK, f"{round_id}/{candidate}")


async def to_open(connection: Connection, round_id: str, version: int) -> list[dict[str, Any]]:
    """The selected candidates of a list that have no project yet, each with what a project is made of.

    `unit` is the registered unit of the application's credit code, else the unit's name; `content` is None without an
    application.
    """
    rows = await connection.fetch(
        "SELECT c.candidate, c.unit AS unit_name, c.channel, coalesce(u.unit, c.unit) AS unit, a.content"
        " FROM list_entries e JOIN candidates c USING (round, candidate)"
        " LEFT JOIN candidate_applications a USING (round, candidate)"
        " LEFT JOIN units u ON u.credit_code = a.lead_credit_code"
        " LEFT JOIN projects p USING (round, candidate)"
        " WHERE e.round = $1 AND e.version = $2 AND e.outcome = 'selected' AND p.candidate IS NULL"
        " ORDER BY c.candidate",
        round_id,
        version,
    )
    return [dict(row) for row in rows]


async def insert_project(
    connection: Connection, round_id: str, version: int, facts: Mapping[str, Any], period: tuple[date, date, date],
    actor: str, now: datetime,
) -> None:  # fmt: skip
    """A project with the budget lines and targets of its application; `period` is (starts, ends, accept before)."""
    key = (round_id, facts["candidate"])
    await connection.execute(
        "INSERT INTO projects (round, candidate, list_version, unit, channel, starts_on, ends_on, accept_before,"
        " opened_by, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *key, version, facts["unit"], facts["channel"], *period, actor, now,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO project_lines (round, candidate, line, name, basis, requested) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (*key, line, each["line"], each["basis"], Decimal(each["amount"]))
            for line, each in enumerate(facts["content"]["budget"], start=1)
        ],
    )
    await connection.executemany(
        "INSERT INTO project_targets (round, candidate, target, text, measure, due_on) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (*key, target, each["target"], each["measure"], date.fromisoformat(each["due"]) if each["due"] else None)
            for target, each in enumerate(facts["content"]["targets"], start=1)
        ],
    )


async def insert_proposal(connection: Connection, found: Project, proposal: Proposal) -> None:
    await connection.execute(
        "INSERT INTO project_proposals (proposal, round, candidate, kind, content, reason, proposed_by, proposed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        proposal.proposal, found.round, found.candidate, proposal.kind.value, proposal.content, proposal.reason,
        proposal.proposed_by, proposal.proposed_at,
    )  # fmt: skip


async def insert_signature(
    connection: Connection, proposal: UUID, signer: str, decision: Decision, reason: str, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO project_signatures (proposal, signer, decision, reason, signed_at) VALUES ($1, $2, $3, $4, $5)",
        proposal, signer, decision.value, reason, now,
    )  # fmt: skip


async def fit_signers(connection: Connection, signers: Sequence[str], roles: Sequence[str]) -> int:
    """How many of these accounts still may sign for the office."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM staff WHERE staff = ANY($1) AND roles && $2::text[] AND NOT disabled", signers, roles
    )
    return count


async def insert_amounts(
    connection: Connection, found: Project, proposal: UUID, amounts: Mapping[int, Decimal]
) -> None:
    """What a grant or a change of budget adds to each line."""
    await connection.executemany(
        "INSERT INTO project_amounts (proposal, round, candidate, line, amount) VALUES ($1, $2, $3, $4, $5)",
        [(proposal, found.round, found.candidate, line, amount) for line, amount in sorted(amounts.items())],
    )


async def insert_instalments(connection: Connection, found: Project, instalments: Sequence[Instalment]) -> None:
    await connection.executemany(
        "INSERT INTO project_instalments (round, candidate, instalment, amount, planned_on)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(found.round, found.candidate, each.instalment, each.amount, each.planned_on) for each in instalments],
    )


async def insert_payment(connection: Connection, found: Project, payment: Payment) -> bool:
    """False where the identifier exists or the payment was reversed before."""
    done = await connection.fetchval(
        "INSERT INTO project_payments (payment, round, candidate, kind, instalment, amount, paid_on, document_number,"
        " reverses, reason, entered_by, entered_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT DO NOTHING RETURNING true",
        payment.payment, found.round, found.candidate, payment.kind.value, payment.instalment, payment.amount,
        payment.paid_on, payment.document_number, payment.reverses, payment.reason, payment.entered_by,
        payment.entered_at,
    )  # fmt: skip
    return bool(done)


async def insert_booking(connection: Connection, found: Project, booking: Booking, sha256: bytes) -> bool:
    """False where the identifier exists, the booking was reversed before, or the voucher is used anywhere.

    A voucher whose earlier bookings were all reversed may be used again: `voucher_use` counts those, and two who book
    it at once meet in the unique index.
    """
    done = await connection.fetchval(
        "INSERT INTO project_bookings (booking, round, candidate, kind, line, amount, spent_on, purpose, voucher,"
        " voucher_sha256, voucher_use, reverses, reason, booked_by, booked_at)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, (SELECT count(*) FROM project_bookings b"
        "   WHERE b.voucher_sha256 = $10 AND b.reverses IS NOT NULL), $11, $12, $13, $14"
        " ON CONFLICT DO NOTHING RETURNING true",
        booking.booking, found.round, found.candidate, booking.kind.value, booking.line, booking.amount,
        booking.spent_on, booking.purpose, booking.voucher, sha256, booking.reverses, booking.reason,
        booking.booked_by, booking.booked_at,
    )  # fmt: skip
    return bool(done)


async def voucher_use(connection: Connection, sha256: bytes) -> dict[str, Any] | None:
    """Where a voucher counts now: round, candidate and booking; None where it counts nowhere."""
    row = await connection.fetchrow(
        "SELECT b.round, b.candidate, b.booking FROM project_bookings b WHERE b.voucher_sha256 = $1"
        " AND b.reverses IS NULL AND NOT EXISTS (SELECT 1 FROM project_bookings r WHERE r.reverses = b.booking)",
        sha256,
    )
    return dict(row) if row else None


async def insert_check(
    connection: Connection, booking: UUID, outcome: str, comment: str, actor: str, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO project_checks (booking, outcome, comment, checked_by, checked_at) VALUES ($1, $2, $3, $4, $5)",
        booking, outcome, comment, actor, now,
    )  # fmt: skip


async def insert_inspection(
    connection: Connection, found: Project, inspection: UUID, planned_on: date, topic: str, actor: str, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO project_inspections (inspection, round, candidate, planned_on, topic, planned_by, planned_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        inspection, found.round, found.candidate, planned_on, topic, actor, now,
    )  # fmt: skip


async def insert_report(
    connection: Connection, inspection: UUID, report: Report, findings: Sequence[tuple[UUID, str, str, date]]
) -> None:
    """How an inspection ended; `findings` are (id, what was found, what is to be done, by when)."""
    await connection.execute(
        "INSERT INTO project_inspection_reports (inspection, outcome, held_on, summary, reported_by, reported_at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        inspection, report.outcome.value, report.held_on, report.summary, report.reported_by, report.reported_at,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO project_findings (finding, inspection, position, text, remedy, due_on)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        [(each[0], inspection, position, *each[1:]) for position, each in enumerate(findings, start=1)],
    )


async def insert_step(
    connection: Connection, finding: UUID, step: FindingStep, text: str, evidence: str | None, due_on: date | None,
    actor: str, now: datetime,
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO project_finding_steps (finding, step, text, evidence, due_on, actor, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        finding, step.value, text, evidence, due_on, actor, now,
    )  # fmt: skip


async def insert_acceptance(
    connection: Connection, found: Project, proposal: UUID, acceptance: Acceptance, targets: Sequence[TargetResult]
) -> None:
    key = (found.round, found.candidate, acceptance.attempt)
    await connection.execute(
        "INSERT INTO project_acceptances (round, candidate, attempt, proposal, opinion, text, rectify_before, late,"
        " decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *key, proposal, acceptance.opinion.value, acceptance.text, acceptance.rectify_before, acceptance.late,
        acceptance.decided_at,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO project_target_outcomes (round, candidate, attempt, target, outcome, remark, evidence)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(*key, each.target, each.outcome.value, each.remark, each.evidence) for each in targets],
    )


async def insert_settlement(
    connection: Connection, found: Project, proposal: UUID, figures: Settlement, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO project_settlements (round, candidate, proposal, granted, paid, spent, own_funds, eligible,"
        " to_return, to_pay, settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        found.round, found.candidate, proposal, figures.granted, figures.paid, figures.spent, figures.own_funds,
        figures.eligible, figures.to_return, figures.to_pay, now,
    )  # fmt: skip


async def open_proposal_of(connection: Connection, found: Project, kind: ProposalKind) -> UUID | None:
    """The proposal of this kind that still waits for signatures."""
    proposal: UUID | None = await connection.fetchval(
        "SELECT p.proposal FROM project_proposals p LEFT JOIN project_signatures s USING (proposal)"
        " WHERE p.round = $1 AND p.candidate = $2 AND p.kind = $3 GROUP BY p.proposal"
        " HAVING count(*) FILTER (WHERE s.decision = 'refuse') = 0 AND count(s.signer) < 2 LIMIT 1",
        found.round, found.candidate, kind.value,
    )  # fmt: skip
    return proposal

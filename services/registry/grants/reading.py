"""Projects as they are read from PostgreSQL; `store.py` writes them. No other SQL reads these tables but the audit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from services.registry.grants.money import ZERO, LineBalance, Settlement
from services.registry.grants.records import (
    Acceptance,
    Booking,
    Check,
    Dossier,
    Finding,
    Inspection,
    Instalment,
    Overdue,
    Payment,
    Project,
    Proposal,
    Report,
    Signature,
    StepTaken,
    Target,
    TargetResult,
)
from services.shared.postgres import Connection, Pool

Row = TypeVar("Row", bound=msgspec.Struct)
# Whether the newest confirmed list selects project `p` and was not retracted.
SELECTED = """EXISTS (SELECT FROM list_entries n
    WHERE (n.round, n.candidate, n.outcome) = (p.round, p.candidate, 'selected')
    AND n.version = (SELECT max(f.version) FROM list_confirmations f WHERE f.round = p.round)
    AND NOT EXISTS (SELECT FROM list_retractions x WHERE (x.round, x.version) = (n.round, n.version)))"""
_HEAD = f"""
    SELECT p.round, p.candidate, c.number, c.title, p.unit, c.unit AS unit_name, p.channel,
        coalesce(h.name, p.channel) AS channel_name, coalesce(nullif(e.level, ''), c.level) AS level, c.category,
        p.list_version, {SELECTED} AS selected, r.timezone,
        p.starts_on, p.ends_on, p.accept_before, p.opened_by, p.opened_at,
        (SELECT sum(a.amount) FROM project_amounts a WHERE (a.round, a.candidate) = (p.round, p.candidate)) AS granted,
        coalesce((SELECT sum(CASE kind WHEN 'instalment' THEN amount ELSE -amount END) FROM project_payments y
            WHERE (y.round, y.candidate) = (p.round, p.candidate)), 0.00) AS paid,
        last.opinion, last.rectify_before, s.settled_at
    FROM projects p JOIN candidates c USING (round, candidate) JOIN rounds r USING (round)
    LEFT JOIN list_entries e ON (e.round, e.version, e.candidate) = (p.round, p.list_version, p.candidate)
    LEFT JOIN round_channels h ON h.round = p.round AND h.channel = p.channel
    LEFT JOIN LATERAL (SELECT opinion, rectify_before FROM project_acceptances t
        WHERE (t.round, t.candidate) = (p.round, p.candidate) ORDER BY attempt DESC LIMIT 1) last ON true
    LEFT JOIN project_settlements s ON (s.round, s.candidate) = (p.round, p.candidate)"""  # noqa: S608 - a constant


async def project(connection: Connection | Pool, round_id: str, candidate: str) -> Project | None:
    """The head of a project; None where there is none."""
    if "\0" in round_id or "\0" in candidate:  # PostgreSQL's texts cannot hold it
        return None
    row = await connection.fetchrow(f"{_HEAD} WHERE p.round = $1 AND p.candidate = $2", round_id, candidate)
    return _as(Project, row) if row else None


async def projects(
    connection: Connection | Pool, round_id: str, unit: str | None, channel: str | None, after: str, limit: int
) -> list[Project]:
    """Heads of a round's projects by candidate, from beyond `after`; of one unit or channel where given."""
    if "\0" in round_id or "\0" in after:
        return []
    rows = await connection.fetch(
        f"{_HEAD} WHERE p.round = $1 AND p.candidate > $2 AND ($3::text IS NULL OR p.unit = $3)"
        " AND ($4::text IS NULL OR p.channel = $4) ORDER BY p.candidate LIMIT $5",
        round_id, after, unit, channel, limit,
    )  # fmt: skip
    return [_as(Project, row) for row in rows]


async def lines(connection: Connection | Pool, found: Project) -> list[LineBalance]:
    """The budget lines with their sums, in the order of the application."""
    rows = await connection.fetch(
        "SELECT l.line, l.name, l.basis, l.requested,"
        " coalesce((SELECT sum(a.amount) FROM project_amounts a"
        "   WHERE (a.round, a.candidate, a.line) = (l.round, l.candidate, l.line)), 0.00) AS approved,"
        " coalesce(sum(b.amount) FILTER (WHERE b.kind = 'expenditure'), 0.00) AS spent,"
        " coalesce(sum(b.amount) FILTER (WHERE b.kind = 'own_funds'), 0.00) AS own_funds"
        " FROM project_lines l LEFT JOIN project_bookings b USING (round, candidate, line)"
        " WHERE l.round = $1 AND l.candidate = $2 GROUP BY l.round, l.candidate, l.line ORDER BY l.line",
        found.round,
        found.candidate,
    )
    return [_as(LineBalance, row) for row in rows]


async def targets(connection: Connection | Pool, found: Project) -> list[Target]:
    rows = await _of(connection, "target, text, measure, due_on", "project_targets", found, "target")
    return [_as(Target, row) for row in rows]


async def proposals(connection: Connection | Pool, found: Project) -> list[Proposal]:
    """Every proposal with its signatures, oldest first."""
    columns = "proposal, kind, content, reason, proposed_by, proposed_at"
    rows = await _of(connection, columns, "project_proposals", found, "proposed_at, proposal")
    signed = await connection.fetch(
        "SELECT proposal, signer, decision, reason, signed_at FROM project_signatures WHERE proposal = ANY($1)"
        " ORDER BY signed_at, signer",
        [row["proposal"] for row in rows],
    )
    by_proposal = _grouped(signed, "proposal")
    return [
        _as(Proposal, row, signatures=[_as(Signature, each) for each in by_proposal[row["proposal"]]]) for row in rows
    ]


async def instalments(connection: Connection | Pool, found: Project) -> list[Instalment]:
    rows = await _of(connection, "instalment, amount, planned_on", "project_instalments", found, "instalment")
    return [_as(Instalment, row) for row in rows]


async def payments(connection: Connection | Pool, found: Project) -> list[Payment]:
    """Every payment and every reversal of one, oldest first."""
    columns = "payment, kind, instalment, amount, paid_on, document_number, reverses, reason, entered_by, entered_at"
    rows = await _of(connection, columns, "project_payments", found, "entered_at, payment")
    return [_as(Payment, row) for row in rows]


async def bookings(connection: Connection | Pool, found: Project) -> list[Booking]:
    """Every booking and reversal with the newest check, oldest first."""
    rows = await connection.fetch(
        "SELECT b.booking, b.kind, b.line, b.amount, b.spent_on, b.purpose, b.voucher, b.reverses, b.reason,"
        " b.booked_by, b.booked_at, r.booking AS reversed_by, k.outcome, k.comment, k.checked_by, k.checked_at,"
        " b.spent_on NOT BETWEEN $3 AND $4 AS outside_period"
        " FROM project_bookings b LEFT JOIN project_bookings r ON r.reverses = b.booking"
        " LEFT JOIN LATERAL (SELECT outcome, comment, checked_by, checked_at FROM project_checks k"
        "   WHERE k.booking = b.booking ORDER BY id DESC LIMIT 1) k ON true"
        " WHERE b.round = $1 AND b.candidate = $2 ORDER BY b.booked_at, b.booking",
        found.round, found.candidate, found.starts_on, found.ends_on,
    )  # fmt: skip
    return [_as(Booking, row, check=_as(Check, row) if row["outcome"] else None) for row in rows]


async def inspections(connection: Connection | Pool, found: Project) -> list[Inspection]:
    """Every inspection with its report, findings and what became of them, in the order planned."""
    rows = await connection.fetch(
        "SELECT i.inspection, i.planned_on, i.topic, i.planned_by, i.planned_at, r.outcome, r.held_on, r.summary,"
        " r.reported_by, r.reported_at FROM project_inspections i LEFT JOIN project_inspection_reports r"
        " USING (inspection) WHERE i.round = $1 AND i.candidate = $2 ORDER BY i.planned_on, i.planned_at",
        found.round,
        found.candidate,
    )
    by_inspection = await _findings(connection, [row["inspection"] for row in rows])
    return [
        _as(Inspection, row, report=_as(Report, row) if row["outcome"] else None,
            findings=by_inspection[row["inspection"]])
        for row in rows
    ]  # fmt: skip


async def _findings(connection: Connection | Pool, of: Sequence[UUID]) -> dict[UUID, list[Finding]]:
    rows = await connection.fetch(
        "SELECT inspection, finding, text, remedy, due_on FROM project_findings WHERE inspection = ANY($1)"
        " ORDER BY inspection, position",
        of,
    )
    taken = await connection.fetch(
        "SELECT finding, step, text, evidence, due_on, actor, at FROM project_finding_steps WHERE finding = ANY($1)"
        " ORDER BY id",
        [row["finding"] for row in rows],
    )
    steps = _grouped(taken, "finding")
    found: dict[UUID, list[Finding]] = defaultdict(list)
    for row in rows:
        own = [_as(StepTaken, each) for each in steps[row["finding"]]]
        due_on = next((each.due_on for each in reversed(own) if each.due_on), row["due_on"])
        found[row["inspection"]].append(_as(Finding, row, steps=own, due_on=due_on))
    return found


async def acceptances(connection: Connection | Pool, found: Project) -> list[Acceptance]:
    """Every attempt with the outcome of each target."""
    columns = "attempt, opinion, text, rectify_before, late, decided_at"
    rows = await _of(connection, columns, "project_acceptances", found, "attempt")
    columns = "attempt, target, outcome, remark, evidence"
    answered = await _of(connection, columns, "project_target_outcomes", found, "attempt, target")
    outcomes = _grouped(answered, "attempt")
    return [
        _as(Acceptance, row, targets=[_as(TargetResult, each) for each in outcomes[row["attempt"]]]) for row in rows
    ]


async def dossier(connection: Connection, found: Project) -> Dossier:
    """Everything about a project; call it in one transaction, so that its parts belong together."""
    return Dossier(
        project=found,
        lines=await lines(connection, found),
        targets=await targets(connection, found),
        proposals=await proposals(connection, found),
        instalments=await instalments(connection, found),
        payments=await payments(connection, found),
        bookings=await bookings(connection, found),
        inspections=await inspections(connection, found),
        acceptances=await acceptances(connection, found),
        settlement=await settlement(connection, found),
    )


async def settlement(connection: Connection | Pool, found: Project) -> Settlement | None:
    """The frozen figures of a settled project; None before."""
    columns = "granted, paid, spent, own_funds, eligible, to_return, to_pay"
    rows = await _of(connection, columns, "project_settlements", found, "settled_at")
    return _as(Settlement, rows[0]) if rows else None


async def paid_for(connection: Connection, found: Project, instalment: int) -> Decimal:
    """What was paid of an instalment, reversals taken off."""
    total: Decimal = await connection.fetchval(
        "SELECT coalesce(sum(amount), 0.00) FROM project_payments"
        " WHERE round = $1 AND candidate = $2 AND instalment = $3",
        found.round, found.candidate, instalment,
    )  # fmt: skip
    return total or ZERO


async def overdue(pool: Pool, now: datetime) -> dict[Overdue, int]:
    """How much waits too long, over all projects that are not settled; days are those of each round's time zone."""
    row = await pool.fetchrow(
        "WITH open AS (SELECT p.round, p.candidate, p.accept_before, ($1 AT TIME ZONE r.timezone)::date AS today"
        "   FROM projects p JOIN rounds r USING (round)"
        "   WHERE NOT EXISTS (SELECT 1 FROM project_settlements s"
        "     WHERE (s.round, s.candidate) = (p.round, p.candidate)))"
        " SELECT (SELECT count(*) FROM project_inspections i JOIN open USING (round, candidate)"
        "   WHERE i.planned_on < today AND NOT EXISTS (SELECT 1 FROM project_inspection_reports t"
        "     WHERE t.inspection = i.inspection)) AS inspection,"
        " (SELECT count(*) FROM project_findings f JOIN project_inspections i USING (inspection)"
        "   JOIN open USING (round, candidate) LEFT JOIN LATERAL (SELECT step FROM project_finding_steps t"
        "     WHERE t.finding = f.finding ORDER BY id DESC LIMIT 1) last ON true"
        "   WHERE (last.step IS NULL OR last.step = 'reopened') AND today > coalesce((SELECT t.due_on"
        "     FROM project_finding_steps t WHERE t.finding = f.finding AND t.due_on IS NOT NULL"
        "     ORDER BY id DESC LIMIT 1), f.due_on)) AS finding,"
        " (SELECT count(*) FROM open LEFT JOIN LATERAL (SELECT opinion, rectify_before FROM project_acceptances a"
        "     WHERE (a.round, a.candidate) = (open.round, open.candidate) ORDER BY attempt DESC LIMIT 1) last ON true"
        "   WHERE (last.opinion IS NULL OR last.opinion = 'rectify')"
        "   AND today >= coalesce(last.rectify_before, accept_before)) AS acceptance,"
        " (SELECT count(*) FROM (SELECT b.line FROM project_bookings b JOIN open USING (round, candidate)"
        "   GROUP BY b.round, b.candidate, b.line"
        "   HAVING sum(CASE b.kind WHEN 'expenditure' THEN b.amount ELSE -b.amount END)"
        "   > coalesce((SELECT sum(a.amount) FROM project_amounts a"
        "     WHERE (a.round, a.candidate, a.line) = (b.round, b.candidate, b.line)), 0)) over) AS overspend",
        now,
    )
    assert row is not None
    return {each: row[each.value] for each in Overdue}


async def _of(connection: Connection | Pool, columns: str, table: str, found: Project, order: str) -> list[Any]:
    query = f"SELECT {columns} FROM {table} WHERE round = $1 AND candidate = $2 ORDER BY {order}"  # noqa: S608
    return list(await connection.fetch(query, found.round, found.candidate))


def _grouped(rows: Iterable[Any], key: str) -> dict[Any, list[Any]]:
    grouped: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped


def _as(kind: type[Row], row: Any, **more: Any) -> Row:
    """A row as a struct: columns by name, words as their enums; `more` stands for fields that no column gives."""
    values = {name: row[name] for name in kind.__struct_fields__ if name not in more}
    return msgspec.convert({**values, **more}, kind)

"""Reviews in PostgreSQL: the only SQL of this subject. Writers hold the application's row first."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import msgspec

from services.registry.reviews.checklists import Checklist
from services.registry.reviews.deadlines import Pause
from services.shared.postgres import Connection, Pool

_COLUMNS = (
    "r.application, r.call, r.opened_at, r.started_on, r.working_days, r.cycle, a.stage, a.title, a.unit,"
    " u.name AS unit_name, a.channel, h.name AS channel_name, a.level, a.category, c.timezone, c.appeal_working_days,"
    " m.text AS completion_text, m.requested_at AS completion_requested_at, m.requested_on AS completion_requested_on,"
    " m.due_on AS completion_due_on, m.closes_at AS completion_closes_at, m.ended_on AS completion_ended_on,"
    " m.answered AS completion_answered, d.outcome, d.reason, d.text, d.basis, d.decided_at, d.decided_on,"
    " d.decided_by, p.text AS appeal_text, p.filed_at AS appeal_filed_at, p.outcome AS appeal_outcome,"
    " p.reply AS appeal_reply, p.decided_at AS appeal_decided_at"
)
_FROM = (
    " FROM reviews r JOIN applications a USING (application) JOIN calls c ON c.call = r.call"
    " JOIN units u ON u.unit = a.unit JOIN channels h ON h.channel = a.channel"
    " LEFT JOIN completions m USING (application)"
    " LEFT JOIN review_decisions d ON d.application = r.application AND d.cycle = r.cycle"
    " LEFT JOIN appeals p ON p.application = r.application AND p.cycle = r.cycle"
)
_REVIEW = f"SELECT {_COLUMNS}{_FROM}"
# Checklists of the review's present cycle.
_FILLED = "(SELECT count(*) FROM review_checklists k WHERE k.application = r.application AND k.cycle = r.cycle)"


class Review(msgspec.Struct, frozen=True):
    """A review with its application, its completion, and the decision and appeal of the present cycle."""

    application: str
    call: str
    opened_at: datetime
    started_on: date
    working_days: int
    cycle: int
    stage: str
    title: str
    unit: str
    unit_name: str
    channel: str
    channel_name: str
    level: str
    category: str
    timezone: str
    appeal_working_days: int
    completion_text: str | None
    completion_requested_at: datetime | None
    completion_requested_on: date | None
    completion_due_on: date | None
    completion_closes_at: datetime | None
    completion_ended_on: date | None
    completion_answered: bool | None
    outcome: str | None
    reason: str | None
    text: str | None
    basis: str | None
    decided_at: datetime | None
    decided_on: date | None
    decided_by: str | None
    appeal_text: str | None
    appeal_filed_at: datetime | None
    appeal_outcome: str | None
    appeal_reply: str | None
    appeal_decided_at: datetime | None

    @property
    def pause(self) -> Pause | None:
        """The days that do not count because completion was awaited."""
        if self.completion_requested_on is None:
            return None
        return Pause(self.completion_requested_on, self.completion_ended_on)


class JointCheck(msgspec.Struct, frozen=True):
    """What a department was asked and what it said."""

    application: str
    department: str
    due_on: date
    asked_by: str
    asked_at: datetime
    result: str | None
    text: str
    entered_by: str | None
    entered_at: datetime | None


class JointCheckLine(msgspec.Struct, frozen=True):
    """A question to a department in the office's list, with the unit that it is about."""

    application: str
    department: str
    due_on: date
    asked_at: datetime
    result: str | None
    text: str
    entered_at: datetime | None
    title: str
    stage: str
    unit: str
    unit_name: str
    credit_code: str
    channel: str
    channel_name: str


async def load(connection: Connection | Pool, application: str) -> Review | None:
    row = await connection.fetchrow(f"{_REVIEW} WHERE r.application = $1", application)
    return Review(**dict(row)) if row else None


async def page(
    pool: Pool, call: str, after: str, limit: int, stage: str | None, channel: str | None
) -> list[tuple[Review, int]]:
    """Reviews of a call in the order of their applications, each with how many checklists are filled."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS}, {_FILLED} AS filled{_FROM}"
        " WHERE r.call = $1 AND r.application > $2 AND ($3::text IS NULL OR a.stage = $3)"
        " AND ($4::text IS NULL OR a.channel = $4) ORDER BY r.application LIMIT $5",
        call, after, stage, channel, limit,
    )  # fmt: skip
    return [(Review(**{name: value for name, value in row.items() if name != "filled"}), row["filled"]) for row in rows]


async def joint_check_lines(
    pool: Pool, call: str, department: str, answer: str, after: str, limit: int
) -> list[JointCheckLine]:
    """What departments were asked in a call, by application and department, from beyond `after` (`a/department`).

    `answer` is empty for all, `waiting`, `clear` or `concern`.
    """
    application, _, last = after.partition("/")
    rows = await pool.fetch(
        "SELECT j.application, j.department, j.due_on, j.asked_at, j.result, j.text, j.entered_at, a.title, a.stage,"
        " a.unit, u.name AS unit_name, u.credit_code, a.channel, h.name AS channel_name"
        " FROM joint_checks j JOIN reviews r USING (application) JOIN applications a USING (application)"
        " JOIN units u ON u.unit = a.unit JOIN channels h ON h.channel = a.channel"
        " WHERE r.call = $1 AND ($2 = '' OR j.department = $2)"
        " AND CASE $3 WHEN '' THEN true WHEN 'waiting' THEN j.result IS NULL ELSE j.result = $3 END"
        " AND (j.application, j.department) > ($4, $5) ORDER BY j.application, j.department LIMIT $6",
        call, department, answer, application, last, limit,
    )  # fmt: skip
    return [JointCheckLine(**dict(row)) for row in rows]


async def open_reviews(pool: Pool, limit: int) -> list[Review]:
    """Reviews without a decision, of every call that is announced."""
    rows = await pool.fetch(
        f"{_REVIEW} WHERE c.state = 'announced' AND a.stage IN ('in_review', 'completion') LIMIT $1", limit
    )
    return [Review(**dict(row)) for row in rows]


async def to_open(pool: Pool, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Recommended applications whose recommendation window is over."""
    rows = await pool.fetch(
        "SELECT a.application, a.call, c.recommendation_closes_at AS closes_at, c.timezone,"
        " c.review_working_days AS working_days FROM applications a JOIN calls c USING (call)"
        " WHERE c.state = 'announced' AND a.stage = 'recommended' AND c.recommendation_closes_at <= $1"
        " ORDER BY a.application LIMIT $2",
        now, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def insert(
    connection: Connection, application: str, call: str, started_on: date, working_days: int, now: datetime
) -> bool:
    """Open a review; whether this call did it."""
    return bool(
        await connection.fetchval(
            "INSERT INTO reviews (application, call, opened_at, started_on, working_days) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING RETURNING true",
            application, call, now, started_on, working_days,
        )
    )  # fmt: skip


async def next_cycle(connection: Connection, application: str, started_on: date | None = None) -> int:
    """What was checked changed, or is to be checked anew: earlier checklists no longer count.

    With `started_on` the days of the review begin anew then.
    """
    cycle: int = await connection.fetchval(
        "UPDATE reviews SET cycle = cycle + 1, started_on = coalesce($2, started_on) WHERE application = $1"
        " RETURNING cycle",
        application, started_on,
    )  # fmt: skip
    return cycle


async def checklists(connection: Connection | Pool, application: str, cycle: int) -> list[Checklist]:
    """The checklists of a cycle, in the order they came."""
    rows = await connection.fetch(
        "SELECT reviewer, items, verdict, reason, comment FROM review_checklists"
        " WHERE application = $1 AND cycle = $2 ORDER BY at, reviewer",
        application, cycle,
    )  # fmt: skip
    return [Checklist(**dict(row)) for row in rows]


async def add_checklist(
    connection: Connection, application: str, cycle: int, checklist: Checklist, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO review_checklists (application, cycle, reviewer, items, verdict, reason, comment, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        application, cycle, checklist.reviewer, checklist.items, checklist.verdict, checklist.reason,
        checklist.comment, now,
    )  # fmt: skip


async def everyone_who_reviewed(connection: Connection | Pool, application: str) -> set[str]:
    """Whoever filled a checklist or decided, in any cycle: they do not decide on an appeal."""
    rows = await connection.fetch(
        "SELECT reviewer AS who FROM review_checklists WHERE application = $1"
        " UNION SELECT decided_by FROM review_decisions WHERE application = $1",
        application,
    )
    return {row["who"] for row in rows}


async def add_completion(
    connection: Connection, application: str, text: str, actor: str, now: datetime, on: date, due_on: date,
    closes_at: datetime,
) -> bool:  # fmt: skip
    """Ask for completion; False where it was asked for before."""
    return bool(
        await connection.fetchval(
            "INSERT INTO completions (application, text, requested_by, requested_at, requested_on, due_on, closes_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true",
            application, text, actor, now, on, due_on, closes_at,
        )
    )  # fmt: skip


async def completions_to_end(pool: Pool, now: datetime, limit: int) -> list[str]:
    """Applications whose completion came, or was due without an answer."""
    rows = await pool.fetch(
        "SELECT m.application FROM completions m JOIN applications a USING (application) WHERE m.ended_at IS NULL"
        " AND (a.stage <> 'completion' OR m.closes_at <= $1) ORDER BY m.application LIMIT $2",
        now, limit,
    )  # fmt: skip
    return [row["application"] for row in rows]


async def waiting_completion(connection: Connection, application: str) -> dict[str, Any] | None:
    """The completion that has not ended yet, with where its application stands."""
    row = await connection.fetchrow(
        "SELECT m.requested_at, m.closes_at, m.due_on, a.stage, a.submitted_at, c.timezone FROM completions m"
        " JOIN applications a USING (application) JOIN calls c USING (call)"
        " WHERE m.application = $1 AND m.ended_at IS NULL FOR UPDATE OF m",
        application,
    )
    return dict(row) if row else None


async def end_completion(
    connection: Connection, application: str, at: datetime, on: date, by: str, answered: bool
) -> None:
    await connection.execute(
        "UPDATE completions SET ended_at = $2, ended_on = $3, ended_by = $4, answered = $5 WHERE application = $1",
        application, at, on, by, answered,
    )  # fmt: skip


async def ask_department(
    connection: Connection, application: str, department: str, due_on: date, actor: str, now: datetime
) -> bool:
    """Put a department on the list; False where it is on it."""
    return bool(
        await connection.fetchval(
            "INSERT INTO joint_checks (application, department, due_on, asked_by, asked_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true",
            application, department, due_on, actor, now,
        )
    )  # fmt: skip


async def enter_result(
    connection: Connection, application: str, department: str, result: str, text: str, actor: str, now: datetime
) -> bool:
    """What a department said; False where it was not asked or has answered."""
    return bool(
        await connection.fetchval(
            "UPDATE joint_checks SET result = $3, text = $4, entered_by = $5, entered_at = $6"
            " WHERE application = $1 AND department = $2 AND result IS NULL RETURNING true",
            application, department, result, text, actor, now,
        )
    )  # fmt: skip


async def joint_checks(connection: Connection | Pool, applications: Iterable[str]) -> list[JointCheck]:
    """What departments were asked about these applications."""
    rows = await connection.fetch(
        "SELECT application, department, due_on, asked_by, asked_at, result, text, entered_by, entered_at"
        " FROM joint_checks WHERE application = ANY($1) ORDER BY application, department",
        list(applications),
    )
    return [JointCheck(**dict(row)) for row in rows]


async def add_decision(
    connection: Connection, application: str, cycle: int, outcome: str, reason: str, text: str, basis: str, actor: str,
    now: datetime, on: date,
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO review_decisions (application, cycle, outcome, reason, text, basis, decided_by, decided_at,"
        " decided_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        application, cycle, outcome, reason, text, basis, actor, now, on,
    )  # fmt: skip


async def add_appeal(
    connection: Connection, application: str, cycle: int, text: str, actor: str, now: datetime
) -> bool:
    """File an appeal; False where there is one against this decision."""
    return bool(
        await connection.fetchval(
            "INSERT INTO appeals (application, cycle, text, filed_by, filed_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING RETURNING true",
            application, cycle, text, actor, now,
        )
    )  # fmt: skip


async def decide_appeal(
    connection: Connection, application: str, cycle: int, outcome: str, reply: str, actor: str, now: datetime
) -> None:
    await connection.execute(
        "UPDATE appeals SET outcome = $3, reply = $4, decided_by = $5, decided_at = $6"
        " WHERE application = $1 AND cycle = $2",
        application, cycle, outcome, reply, actor, now,
    )  # fmt: skip


async def refused(connection: Connection, call: str) -> list[Review]:
    """Applications of a call that are not accepted, with decision and appeal."""
    rows = await connection.fetch(f"{_REVIEW} WHERE r.call = $1 AND a.stage = 'not_accepted'", call)
    return [Review(**dict(row)) for row in rows]


async def credit_code_of(connection: Connection, unit: str) -> str:
    found: str | None = await connection.fetchval("SELECT credit_code FROM units WHERE unit = $1", unit)
    return found or ""

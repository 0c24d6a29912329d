"""Objections in PostgreSQL: the only SQL of this subject. The objector's name lies in a table of its own, sealed."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from services.registry.objections.rules import ObjectionState
from services.shared.postgres import Connection, Pool

ALLOWANCE_SPAN = timedelta(hours=1)


class Objection(msgspec.Struct, frozen=True):
    """An objection without the objector."""

    receipt: str
    round: str
    round_title: str
    timezone: str
    list_version: int
    candidate: str | None
    candidate_title: str | None
    kind: str
    medium: str
    ground: str
    text: str
    received_on: date
    entered_at: datetime
    reply_days: int
    state: ObjectionState
    owner: str
    contacted_at: datetime | None
    reply: str
    remedy: str
    decided_by: str
    confirmed_by: str
    answered_at: datetime | None
    version: int
    has_person: bool


class NewObjection(msgspec.Struct, frozen=True):
    """What is written of a new objection."""

    receipt: str
    round: str
    list_version: int
    candidate: str | None
    kind: str
    medium: str
    ground: str
    text: str
    received_on: date
    entered_at: datetime
    entered_by: str
    reply_days: int


_SELECT = (
    "SELECT o.receipt, o.round, r.title AS round_title, r.timezone, o.list_version, o.candidate,"
    " c.title AS candidate_title, o.kind, o.medium, o.ground, o.text, o.received_on, o.entered_at, o.reply_days,"
    " o.state, o.owner, o.contacted_at, o.reply, o.remedy, o.decided_by, o.confirmed_by, o.answered_at, o.version,"
    " EXISTS (SELECT FROM objection_persons p WHERE p.receipt = o.receipt) AS has_person"
    " FROM objections o JOIN rounds r USING (round)"
    " LEFT JOIN candidates c ON c.round = o.round AND c.candidate = o.candidate"
)


def _objection(row: Any) -> Objection:
    return msgspec.convert(dict(row), Objection)


async def insert(connection: Connection, new: NewObjection, sealed: bytes | None) -> None:
    fields = msgspec.structs.astuple(new)
    await connection.execute(
        "INSERT INTO objections (receipt, round, list_version, candidate, kind, medium, ground, text, received_on,"
        " entered_at, entered_by, reply_days) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        *fields,
    )
    if sealed is not None:
        await connection.execute("INSERT INTO objection_persons (receipt, sealed) VALUES ($1, $2)", new.receipt, sealed)


async def load(connection: Connection | Pool, receipt: str) -> Objection | None:
    row = await connection.fetchrow(f"{_SELECT} WHERE o.receipt = $1", receipt)
    return None if row is None else _objection(row)


async def hold(connection: Connection, receipt: str) -> Objection | None:
    """The objection, held against others until the transaction ends."""
    await connection.fetchrow("SELECT 1 FROM objections WHERE receipt = $1 FOR UPDATE", receipt)
    return await load(connection, receipt)


async def page(
    pool: Pool, round_id: str, state: str, after: str, limit: int, unit: str, channel: str
) -> list[Objection]:
    """Objections of a round by receipt, without those that concern the reader's own unit or channel."""
    rows = await pool.fetch(
        f"{_SELECT} WHERE o.round = $1 AND ($2 = '' OR o.state = $2) AND o.receipt > $3"  # noqa: S608 - our own text
        " AND NOT coalesce(($5 <> '' AND (c.unit = $5 OR c.unit = (SELECT u.name FROM units u WHERE u.unit = $5)"
        "  OR EXISTS (SELECT FROM applications a WHERE a.application = c.candidate AND a.unit = $5)))"
        "  OR ($6 <> '' AND c.channel = $6), false)"
        " ORDER BY o.receipt LIMIT $4",
        round_id, state, after, limit, unit, channel,
    )  # fmt: skip
    return [_objection(row) for row in rows]


async def change(connection: Connection, receipt: str, **fields: Any) -> None:
    """Set fields of a held objection and raise its version."""
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(fields, start=2))
    await connection.execute(
        f"UPDATE objections SET {assignments}, version = version + 1 WHERE receipt = $1",  # noqa: S608 - our own names
        receipt,
        *fields.values(),
    )


async def sealed_person(pool: Connection | Pool, receipt: str) -> bytes | None:
    found: bytes | None = await pool.fetchval("SELECT sealed FROM objection_persons WHERE receipt = $1", receipt)
    return found


async def unsettled(connection: Connection | Pool, round_id: str) -> int:
    """Objections that hold up the confirmation: not answered, or upheld and what follows from it is not done."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM objections o WHERE o.round = $1 AND o.kind <> 'lead' AND ("
        " o.answered_at IS NULL"
        " OR (o.state = 'upheld' AND o.remedy = 'list_change' AND NOT EXISTS ("
        "  SELECT FROM list_proposals p WHERE p.objection = o.receipt AND p.act = 'change' AND p.state = 'done'))"
        " OR (o.state = 'upheld' AND o.remedy = 'new_ranking' AND NOT EXISTS ("
        "  SELECT FROM lists l WHERE l.round = o.round AND l.origin = 'ranking' AND l.published_at > o.answered_at)))",
        round_id,
    )
    return count


async def asks_for_change(connection: Connection | Pool, round_id: str, receipt: str) -> bool:
    """Whether an objection of this round was upheld with a change of the list as its remedy."""
    found: bool = "\0" not in receipt and await connection.fetchval(
        "SELECT EXISTS (SELECT FROM objections WHERE receipt = $1 AND round = $2 AND state = 'upheld'"
        " AND remedy = 'list_change')",
        receipt,
        round_id,
    )
    return found


async def staff_facts(connection: Connection, staff: str) -> tuple[list[str], str, str] | None:
    """(roles, unit, channel) of an account that is not disabled."""
    if "\0" in staff:
        return None
    row = await connection.fetchrow("SELECT roles, unit, channel FROM staff WHERE staff = $1 AND NOT disabled", staff)
    return None if row is None else (row["roles"], row["unit"], row["channel"])


async def open_dates(pool: Pool) -> list[tuple[date, int, str]]:
    """(received on, working days to reply, time zone) of everything that waits for an answer."""
    rows = await pool.fetch(
        "SELECT o.received_on, o.reply_days, r.timezone FROM objections o JOIN rounds r USING (round)"
        " WHERE o.answered_at IS NULL AND o.kind <> 'lead'"
    )
    return [(row["received_on"], row["reply_days"], row["timezone"]) for row in rows]


async def counts(pool: Pool) -> dict[str, int]:
    """State → how many objections."""
    rows = await pool.fetch("SELECT state, count(*) AS objections FROM objections GROUP BY state")
    return {row["state"]: row["objections"] for row in rows}


async def tries(connection: Connection | Pool, address_key: bytes, now: datetime) -> int:
    """How many objections came from an address within the last hour."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM objection_tries WHERE address_key = $1 AND at > $2", address_key, now - ALLOWANCE_SPAN
    )
    return count


async def note_try(connection: Connection, address_key: bytes, now: datetime) -> None:
    await connection.execute("INSERT INTO objection_tries (address_key, at) VALUES ($1, $2)", address_key, now)


async def sweep(pool: Pool, now: datetime) -> int:
    """Forget counts of addresses that are older than they matter; at most 1,000 rows a call."""
    gone = await pool.fetch(
        "DELETE FROM objection_tries WHERE ctid IN (SELECT ctid FROM objection_tries WHERE at < $1 LIMIT 1000)"
        " RETURNING 1",
        now - ALLOWANCE_SPAN,
    )
    return len(gone)

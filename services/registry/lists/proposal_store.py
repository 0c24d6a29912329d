"""Proposals on lists, confirmations, retractions and papers in PostgreSQL: the only SQL of these acts."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import asyncpg
import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool
from services.shared.staff import Role


class Act(StrEnum):
    """What takes two people."""

    CHANGE = "change"
    CONFIRMATION = "confirmation"
    RETRACTION = "retraction"


class State(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    SCHEDULED = "scheduled"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class Proposal(msgspec.Struct, frozen=True):
    """An act with its first signature, and the second where it has one."""

    proposal: int
    act: Act
    list_version: int
    content: dict[str, Any]
    objection: str | None
    release_at: datetime | None
    state: State
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    ended_at: datetime | None


_COLUMNS = (
    "proposal, act, list_version, content, objection, release_at, state, proposed_by, proposed_at, confirmed_by,"
    " confirmed_at, ended_at"
)


async def insert(
    connection: Connection, round_id: str, act: Act, version: int, content: Mapping[str, object], by: str,
    now: datetime, release_at: datetime | None, objection: str | None,
) -> int:  # fmt: skip
    """A new proposal; returns its number."""
    number: int = await connection.fetchval(
        "INSERT INTO list_proposals (round, act, list_version, content, objection, release_at, proposed_by,"
        " proposed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING proposal",
        round_id, act.value, version, dict(content), objection, release_at, by, now,
    )  # fmt: skip
    return number


async def load(connection: Connection | Pool, round_id: str, number: int) -> Proposal | None:
    if number >= 1 << 62:
        return None
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM list_proposals WHERE round = $1 AND proposal = $2",  # noqa: S608
        round_id,
        number,
    )
    return None if row is None else msgspec.convert(dict(row), Proposal)


async def page(pool: Pool, round_id: str, after: int, limit: int) -> list[Proposal]:
    """Proposals of a round in the order they were made, from the one after `after`."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM list_proposals WHERE round = $1 AND proposal > $2 ORDER BY proposal LIMIT $3",  # noqa: S608
        round_id,
        after,
        limit,
    )
    return [msgspec.convert(dict(row), Proposal) for row in rows]


async def sign(connection: Connection, number: int, by: str, now: datetime, state: State) -> None:
    """The second signature; `ended_at` is when it took effect."""
    await connection.execute(
        "UPDATE list_proposals SET state = $2, confirmed_by = $3, confirmed_at = $4, ended_at = $5 WHERE proposal = $1",
        number, state.value, by, now, now if state is State.DONE else None,
    )  # fmt: skip


async def end(connection: Connection, number: int, state: State, now: datetime) -> None:
    await connection.execute(
        "UPDATE list_proposals SET state = $2, ended_at = $3 WHERE proposal = $1", number, state.value, now
    )


async def due(pool: Pool, now: datetime) -> list[tuple[str, int]]:
    """(round, proposal) of what was signed for a time that has come."""
    rows = await pool.fetch(
        "SELECT round, proposal FROM list_proposals WHERE state = 'scheduled' AND release_at <= $1"
        " ORDER BY release_at, proposal LIMIT 20",
        now,
    )
    return [(row["round"], row["proposal"]) for row in rows]


async def may_still_sign(connection: Connection, staff: str) -> bool:
    """Whether the first person is still an administrator: a signature lives no longer than the account."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM staff WHERE staff = $1 AND NOT disabled AND $2 = ANY(roles))",
        staff,
        Role.ADMINISTRATOR.value,
    )
    return found


async def insert_confirmation(
    connection: Connection, round_id: str, proposal: Proposal, meeting_number: str, held_on: date,
    minutes: str | None, now: datetime,
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO list_confirmations (round, version, proposal, meeting_number, held_on, minutes, confirmed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        round_id, proposal.list_version, proposal.proposal, meeting_number, held_on, minutes, now,
    )  # fmt: skip


async def insert_retraction(
    connection: Connection, round_id: str, proposal: Proposal, text: str, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO list_retractions (round, version, proposal, text, retracted_at) VALUES ($1, $2, $3, $4, $5)",
        round_id, proposal.list_version, proposal.proposal, text, now,
    )  # fmt: skip


async def require_attachment(connection: Connection, attachment: str, kind: str, object_id: str) -> None:
    """Raise Refusal `unknown_attachment` where the object has no such file."""
    known = "\0" not in attachment and await connection.fetchval(
        "SELECT true FROM attachments WHERE attachment = $1 AND kind = $2 AND object = $3", attachment, kind, object_id
    )
    if not known:
        raise Refusal(RegistryReason.UNKNOWN_ATTACHMENT, "The list has no such file; upload it to the list first.")


async def assign_number(
    connection: Connection, round_id: str, version: int, document_number: str, by: str, now: datetime
) -> bool:
    """Give a list its document number; True where it has this one already. Raises Refusal `document_number_used`."""
    try:
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO list_documents (round, version, document_number, assigned_by, assigned_at)"
                " VALUES ($1, $2, $3, $4, $5)",
                round_id, version, document_number, by, now,
            )  # fmt: skip
    except asyncpg.UniqueViolationError:
        row = await connection.fetchrow(
            "SELECT round, version, document_number FROM list_documents WHERE document_number = $1"
            " OR (round = $2 AND version = $3)",
            document_number,
            round_id,
            version,
        )
        if row is not None and tuple(row) == (round_id, version, document_number):
            return True
        detail = "The list has another document number, or another list has this one; numbers are given once."
        raise Refusal(RegistryReason.DOCUMENT_NUMBER_USED, detail) from None
    return False


async def add_scan(
    connection: Connection, round_id: str, version: int, attachment: str, by: str, now: datetime
) -> None:
    await connection.execute(
        "INSERT INTO list_scans (round, version, attachment, added_by, added_at) VALUES ($1, $2, $3, $4, $5)",
        round_id, version, attachment, by, now,
    )  # fmt: skip


async def scan_of(pool: Pool, round_id: str, version: int) -> str | None:
    """The newest stamped scan of a list."""
    found: str | None = await pool.fetchval(
        "SELECT attachment FROM list_scans WHERE round = $1 AND version = $2 ORDER BY scan DESC LIMIT 1",
        round_id,
        version,
    )
    return found

"""Partners' consents in PostgreSQL. Only hashes of links' tokens are stored."""

from datetime import datetime
from typing import Any

from services.registry.applications.records import Consent
from services.shared.postgres import Connection, Pool


async def ask(
    connection: Connection, application: str, credit_code: str, partner_name: str, token_hash: bytes,
    *, actor: str, now: datetime, expires_at: datetime,
) -> None:  # fmt: skip
    """Store a new asking; an earlier one of the same partner that is open is good no longer."""
    await connection.execute(
        "UPDATE application_consents SET replaced_at = $3 WHERE application = $1 AND credit_code = $2"
        " AND replaced_at IS NULL AND answer IS DISTINCT FROM 'given'",
        application, credit_code, now,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO application_consents (application, credit_code, partner_name, token_hash, asked_by, asked_at,"
        " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        application, credit_code, partner_name, token_hash, actor, now, expires_at,
    )  # fmt: skip


async def of(connection: Connection | Pool, application: str) -> list[Consent]:
    """The asking of each partner that counts: the one that was given, else the newest."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (credit_code) credit_code, partner_name, asked_at, expires_at, answer, answered_at, name,"
        " position FROM application_consents WHERE application = $1"
        " ORDER BY credit_code, (answer = 'given') DESC NULLS LAST, id DESC",
        application,
    )
    return [Consent(**dict(row)) for row in rows]


async def find(connection: Connection | Pool, token_hash: bytes, *, lock: bool = False) -> dict[str, Any] | None:
    """What a link asks for; None where no link has this token."""
    row = await connection.fetchrow(
        "SELECT id, application, credit_code, partner_name, expires_at, replaced_at, answer, answered_at"  # noqa: S608
        " FROM application_consents WHERE token_hash = $1" + (" FOR UPDATE" if lock else ""),
        token_hash,
    )
    return dict(row) if row else None


async def answer(connection: Connection, identifier: int, word: str, name: str, position: str, now: datetime) -> None:
    await connection.execute(
        "UPDATE application_consents SET answer = $2, name = $3, position = $4, answered_at = $5 WHERE id = $1",
        identifier, word, name, position, now,
    )  # fmt: skip

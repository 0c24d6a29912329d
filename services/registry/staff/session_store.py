"""Sessions in PostgreSQL: opening, using, listing and ending them. Only hashes of their ids are here."""

from datetime import datetime, timedelta

import msgspec

from services.registry.staff.accounts import Account
from services.registry.staff.store import as_account, end_others, end_tokens, note
from services.shared.postgres import Pool, transaction

_LISTED_MAX = 200


class SessionLine(msgspec.Struct, frozen=True):
    """A session as its owner sees it; `session` names it and opens nothing."""

    session: str
    device: str
    created_at: datetime
    last_used_at: datetime
    current: bool


async def open_session(pool: Pool, id_hash: bytes, staff: str, device: str, now: datetime) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO sessions (id_hash, staff, device, created_at, last_used_at) VALUES ($1, $2, $3, $4, $4)",
            id_hash, staff, device, now,
        )  # fmt: skip
        await note(connection, now, staff, staff, "signed_in", {})


async def use_session(
    pool: Pool, id_hash: bytes, now: datetime, lifetime: timedelta, idle: timedelta
) -> Account | None:
    """The account of a session that still lives, which counts as used now; else None."""
    row = await pool.fetchrow(
        """
        UPDATE sessions SET last_used_at = greatest(sessions.last_used_at, $2)
        FROM staff s
        WHERE id_hash = $1 AND s.staff = sessions.staff AND NOT s.disabled AND revoked_at IS NULL
          AND sessions.created_at > $3 AND last_used_at > $4
        RETURNING s.staff, s.username, s.name, s.roles, s.unit, s.channel, s.disabled, s.not_before, s.version
        """,
        id_hash,
        now,
        now - lifetime,
        now - idle,
    )
    return None if row is None else as_account(row)


async def end_session(pool: Pool, id_hash: bytes, now: datetime) -> bool:
    """Revoke a session; returns whether it was open."""
    async with transaction(pool) as connection:
        staff = await connection.fetchval(
            "UPDATE sessions SET revoked_at = $2 WHERE id_hash = $1 AND revoked_at IS NULL RETURNING staff",
            id_hash,
            now,
        )
        if staff is not None:
            await note(connection, now, staff, staff, "signed_out", {})
    return staff is not None


async def of_staff(
    pool: Pool, staff: str, current: bytes, now: datetime, lifetime: timedelta, idle: timedelta
) -> list[SessionLine]:
    """The sessions of an account that still live, newest first."""
    rows = await pool.fetch(
        "SELECT encode(id_hash, 'hex') AS session, device, created_at, last_used_at, id_hash = $2 AS current"
        " FROM sessions WHERE staff = $1 AND revoked_at IS NULL AND created_at > $3 AND last_used_at > $4"
        " ORDER BY created_at DESC, id_hash LIMIT $5",
        staff, current, now - lifetime, now - idle, _LISTED_MAX,
    )  # fmt: skip
    return [SessionLine(**dict(row)) for row in rows]


async def revoke(pool: Pool, staff: str, session: bytes, now: datetime) -> Account | None:
    """End one session of an account, with every token made until now; None where it has no such open session."""
    async with transaction(pool) as connection:
        gone = await connection.fetchval(
            "UPDATE sessions SET revoked_at = $3 WHERE id_hash = $1 AND staff = $2 AND revoked_at IS NULL RETURNING 1",
            session,
            staff,
            now,
        )
        if gone is None:
            return None
        await note(connection, now, staff, staff, "session_revoked", {})
        return await end_tokens(connection, staff, now)


async def revoke_others(pool: Pool, staff: str, current: bytes, now: datetime) -> Account:
    """End every session of an account but the current one."""
    async with transaction(pool) as connection:
        await note(connection, now, staff, staff, "other_sessions_revoked", {})
        return await end_others(connection, staff, now, current)

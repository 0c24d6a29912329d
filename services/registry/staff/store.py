"""Accounts, sessions and damping in PostgreSQL: the only SQL of this subject.

Invariant: whatever changes an account also raises its version, writes a staff event and leaves a StaffMessage, all in
one transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from services.registry.staff.accounts import PLATFORM, Account, NewStaff, as_message_fields, require_may_grant
from services.shared import outbox
from services.shared.messages import REGISTRY_STAFF, StaffMessage
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff


async def _row(connection: Connection, staff: str) -> Any:
    return await connection.fetchrow(
        "SELECT staff, username, name, roles, unit, channel, disabled, not_before, version FROM staff WHERE staff = $1",
        staff,
    )


async def _publish(connection: Connection, staff: str) -> Account:
    """Leave the account as it is now in the outbox."""
    row = await _row(connection, staff)
    await outbox.append(connection, REGISTRY_STAFF, StaffMessage(**as_message_fields(row)))
    return _account(row)


async def _note(connection: Connection, actor: str, staff: str, event: str, detail: dict[str, Any]) -> None:
    await connection.execute(
        "INSERT INTO staff_events (actor, staff, event, detail) VALUES ($1, $2, $3, $4)", actor, staff, event, detail
    )


def _account(row: Any) -> Account:
    fields = as_message_fields(row)
    del fields["not_before"]
    return Account(**fields)


async def ensure_platform_account(pool: Pool, now: datetime) -> bool:
    """Make the built-in account where it is missing; returns whether it was made now."""
    async with transaction(pool) as connection:
        roles = [Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR]
        made = await connection.fetchval(
            "INSERT INTO staff (staff, username, name, roles, not_before, version) VALUES ($1, $1, $2, $3, $4, 1)"
            " ON CONFLICT (staff) DO NOTHING RETURNING staff",
            PLATFORM,
            "平台",
            roles,
            now,
        )
        if made is None:
            return False
        await _publish(connection, PLATFORM)
        await _note(connection, PLATFORM, PLATFORM, "created", {"roles": roles, "built_in": True})
    return True


async def create(pool: Pool, wanted: NewStaff, password_hash: str, actor: str, now: datetime) -> Account | None:
    """A new account, or None where the username is taken."""
    async with transaction(pool) as connection:
        staff: str | None = await connection.fetchval(
            "INSERT INTO staff (staff, username, name, roles, unit, channel, not_before, version)"
            " VALUES ($1, $1, $2, $3, $4, $5, $6, 1) ON CONFLICT DO NOTHING RETURNING staff",
            wanted.username, wanted.name, wanted.roles, wanted.unit, wanted.channel, now,
        )  # fmt: skip
        if staff is None:
            return None
        await connection.execute(
            "INSERT INTO staff_credentials (staff, password_hash, changed_at) VALUES ($1, $2, $3)",
            staff,
            password_hash,
            now,
        )
        await _note(connection, actor, staff, "created", {"roles": wanted.roles})
        return await _publish(connection, staff)


async def all_accounts(pool: Pool) -> list[Account]:
    rows = await pool.fetch(
        "SELECT staff, username, name, roles, unit, channel, disabled, not_before, version FROM staff ORDER BY username"
    )
    return [_account(row) for row in rows]


async def disable(pool: Pool, username: str, actor: Staff, now: datetime) -> Account | None:
    """Disable an account and end its sessions; None where it is unknown, Refusal 403 where it is above the actor.

    Harmless to repeat.
    """
    async with transaction(pool) as connection:
        known = await connection.fetchrow("SELECT roles, disabled FROM staff WHERE staff = $1 FOR UPDATE", username)
        if known is None:
            return None
        require_may_grant(known["roles"], actor)
        if known["disabled"]:
            return _account(await _row(connection, username))
        await connection.execute(
            "UPDATE staff SET disabled = true, not_before = $2, version = version + 1 WHERE staff = $1", username, now
        )
        await connection.execute(
            "UPDATE sessions SET revoked_at = $2 WHERE staff = $1 AND revoked_at IS NULL", username, now
        )
        await _note(connection, actor.staff, username, "disabled", {})
        return await _publish(connection, username)


async def credentials(pool: Pool, username: str) -> tuple[Account, str] | None:
    """(account, password hash) of somebody who may sign in, else None."""
    row = await pool.fetchrow(
        "SELECT s.staff, s.username, s.name, s.roles, s.unit, s.channel, s.disabled, s.not_before, s.version,"
        " c.password_hash FROM staff s JOIN staff_credentials c USING (staff)"
        " WHERE s.username = $1 AND NOT s.disabled",
        username,
    )
    return None if row is None else (_account(row), row["password_hash"])


async def open_session(pool: Pool, id_hash: bytes, staff: str, now: datetime) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO sessions (id_hash, staff, created_at, last_used_at) VALUES ($1, $2, $3, $3)",
            id_hash,
            staff,
            now,
        )
        await _note(connection, staff, staff, "signed_in", {})


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
    return None if row is None else _account(row)


async def end_session(pool: Pool, id_hash: bytes, now: datetime) -> bool:
    """Revoke a session; returns whether it was open."""
    async with transaction(pool) as connection:
        staff = await connection.fetchval(
            "UPDATE sessions SET revoked_at = $2 WHERE id_hash = $1 AND revoked_at IS NULL RETURNING staff",
            id_hash,
            now,
        )
        if staff is not None:
            await _note(connection, staff, staff, "signed_out", {})
    return staff is not None


async def try_sign_in(
    pool: Pool, key: bytes, now: datetime, free: int, pause_max_s: float, forget_after: timedelta
) -> float:
    """Count a try before it is made; returns 0, or the seconds to wait because the last one was too recent.

    Counting first means that parallel tries cannot slip past; a right password sets the count back.
    """
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO sign_in_attempts (attempt_key, failures, last_tried_at) VALUES ($1, 0, $2)"
            " ON CONFLICT DO NOTHING",
            key,
            now - forget_after,
        )
        row = await connection.fetchrow(
            "SELECT failures, last_tried_at FROM sign_in_attempts WHERE attempt_key = $1 FOR UPDATE", key
        )
        if row is None:  # the sweeper took it in between: as good as forgotten
            return 0.0
        failures = 0 if row["last_tried_at"] <= now - forget_after else row["failures"]
        since: timedelta = now - row["last_tried_at"]
        wait_s = pause_s(failures, free, pause_max_s) - since.total_seconds()
        if failures and wait_s > 0:
            return wait_s
        await connection.execute(
            "UPDATE sign_in_attempts SET failures = $2, last_tried_at = $3 WHERE attempt_key = $1",
            key,
            failures + 1,
            now,
        )
    return 0.0


def pause_s(failures: int, free: int, pause_max_s: float) -> float:
    """Seconds that must lie between two tries: none at first, then 1, 2, 4 … up to the maximum."""
    return 0.0 if failures < free else min(2.0 ** min(failures - free, 30), pause_max_s)


async def forgive(pool: Pool, key: bytes) -> None:
    await pool.execute("UPDATE sign_in_attempts SET failures = 0 WHERE attempt_key = $1", key)


async def sweep_attempts(pool: Pool, before: datetime) -> int:
    """Forget damping older than `before`; at most 1,000 rows a call."""
    gone = await pool.fetch(
        "DELETE FROM sign_in_attempts WHERE attempt_key IN"
        " (SELECT attempt_key FROM sign_in_attempts WHERE last_tried_at < $1 LIMIT 1000) RETURNING 1",
        before,
    )
    return len(gone)

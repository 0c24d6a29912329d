"""Accounts in PostgreSQL; sessions, damping, invitations and second factors have store modules of their own.

Invariant: whatever changes an account also raises its version, writes a staff event, an entry of the log, and leaves a
StaffMessage, all in one transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.staff.accounts import (
    PLATFORM,
    Account,
    NewStaff,
    StaffChange,
    as_message_fields,
    changed,
    difference,
    require_may_grant,
)
from services.shared import outbox
from services.shared.errors import Refusal
from services.shared.messages import REGISTRY_STAFF, StaffMessage
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff


async def _row(connection: Connection | Pool, staff: str) -> Any:
    return await connection.fetchrow(
        "SELECT staff, username, name, roles, unit, channel, disabled, not_before, version FROM staff WHERE staff = $1",
        staff,
    )


async def _publish(connection: Connection, staff: str) -> Account:
    """Leave the account as it is now in the outbox."""
    row = await _row(connection, staff)
    await outbox.append(connection, REGISTRY_STAFF, StaffMessage(**as_message_fields(row)))
    return as_account(row)


async def note(
    connection: Connection, now: datetime, actor: str, staff: str, event: str, detail: dict[str, Any]
) -> None:
    """Write what happened to an account into its own events and into the registry's log."""
    await connection.execute(
        "INSERT INTO staff_events (at, actor, staff, event, detail) VALUES ($1, $2, $3, $4, $5)",
        now, actor, staff, event, detail,
    )  # fmt: skip
    await record(connection, now, actor, f"staff.{event}", "staff", staff, after=detail or None)


def as_account(row: Any) -> Account:
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
            # Its tokens are signed by whoever has the key, whose clock may be behind one that was measured in a hurry.
            now - timedelta(minutes=1),
        )
        if made is None:
            return False
        await _publish(connection, PLATFORM)
        await note(connection, now, PLATFORM, PLATFORM, "created", {"roles": roles, "built_in": True})
    return True


async def create(pool: Pool, wanted: NewStaff, password_hash: str, actor: str, now: datetime) -> Account | None:
    """A new account, or None where the username is taken."""
    async with transaction(pool) as connection:
        return await add(connection, wanted, password_hash, actor, now)


async def add(
    connection: Connection, wanted: NewStaff, password_hash: str, actor: str, now: datetime
) -> Account | None:
    """A new account inside the caller's transaction, or None where the username is taken."""
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
    detail = {"roles": wanted.roles, "unit": wanted.unit, "channel": wanted.channel}
    await note(connection, now, actor, staff, "created", detail)
    return await _publish(connection, staff)


async def all_accounts(pool: Pool) -> list[Account]:
    rows = await pool.fetch(
        "SELECT staff, username, name, roles, unit, channel, disabled, not_before, version FROM staff ORDER BY username"
    )
    return [as_account(row) for row in rows]


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
            return as_account(await _row(connection, username))
        await connection.execute(
            "UPDATE staff SET disabled = true, not_before = $2, version = version + 1 WHERE staff = $1", username, now
        )
        await _revoke(connection, username, now)
        await note(connection, now, actor.staff, username, "disabled", {})
        return await _publish(connection, username)


async def change(pool: Pool, username: str, wanted: StaffChange, actor: Staff, now: datetime) -> Account | None:
    """Change an account that stands at `wanted.version`; None where it is unknown.

    Raises Refusal 403 where it, or what it would become, is above the actor, `stale_version`, `bad_staff`.
    """
    async with transaction(pool) as connection:
        row = await connection.fetchrow("SELECT 1 FROM staff WHERE staff = $1 FOR UPDATE", username)
        if row is None:
            return None
        before = as_account(await _row(connection, username))
        after = changed(before, wanted, actor)
        await _require_place(connection, before, after)
        ends = after.disabled and not before.disabled
        await connection.execute(
            "UPDATE staff SET name = $2, roles = $3, unit = $4, channel = $5, disabled = $6, version = version + 1,"
            " not_before = CASE WHEN $7 THEN $8 ELSE not_before END WHERE staff = $1",
            username, after.name, after.roles, after.unit, after.channel, after.disabled, ends, now,
        )  # fmt: skip
        if ends:
            await _revoke(connection, username, now)
        await note(connection, now, actor.staff, username, "changed", difference(before, after))
        return await _publish(connection, username)


async def _require_place(connection: Connection, before: Account, after: Account) -> None:
    """A unit or channel that is newly given to an account must exist; older accounts may name what does not."""
    known = await connection.fetchrow(
        "SELECT EXISTS (SELECT 1 FROM units WHERE unit = $1) AS unit,"
        " EXISTS (SELECT 1 FROM channels WHERE channel = $2) AS channel",
        after.unit,
        after.channel,
    )
    assert known is not None
    for key, old, new in (("unit", before.unit, after.unit), ("channel", before.channel, after.channel)):
        if new and new != old and not known[key]:
            raise Refusal(RegistryReason.BAD_STAFF, f"{key} {new[:64]!r} is unknown; see GET /{key}s.")


async def set_password(
    connection: Connection, staff: str, password_hash: str, now: datetime, *, except_session: bytes
) -> Account | None:
    """A new password inside the caller's transaction: every token and every other session ends; None: disabled."""
    known = await connection.fetchval("SELECT disabled FROM staff WHERE staff = $1 FOR UPDATE", staff)
    if known is not False:
        return None
    await connection.execute(
        "UPDATE staff_credentials SET password_hash = $2, changed_at = $3 WHERE staff = $1", staff, password_hash, now
    )
    await note(connection, now, staff, staff, "password_changed", {})
    return await end_others(connection, staff, now, except_session)


async def end_others(connection: Connection, staff: str, now: datetime, except_session: bytes) -> Account:
    """End every session but one, and every token made until now, inside the caller's transaction."""
    await _revoke(connection, staff, now, except_session)
    return await end_tokens(connection, staff, now)


async def end_tokens(connection: Connection, staff: str, now: datetime) -> Account:
    """Let no token made until now count any longer, in any service."""
    await connection.execute("UPDATE staff SET not_before = $2, version = version + 1 WHERE staff = $1", staff, now)
    return await _publish(connection, staff)


async def _revoke(connection: Connection, staff: str, now: datetime, but: bytes = b"") -> None:
    await connection.execute(
        "UPDATE sessions SET revoked_at = $2 WHERE staff = $1 AND revoked_at IS NULL AND id_hash <> $3", staff, now, but
    )


async def account(connection: Connection | Pool, username: str) -> Account | None:
    """The account as it stands, None where it is unknown."""
    row = await _row(connection, username)
    return None if row is None else as_account(row)


async def credentials(pool: Pool, username: str) -> tuple[Account, str] | None:
    """(account, password hash) of somebody who may sign in, else None."""
    row = await pool.fetchrow(
        "SELECT s.staff, s.username, s.name, s.roles, s.unit, s.channel, s.disabled, s.not_before, s.version,"
        " c.password_hash FROM staff s JOIN staff_credentials c USING (staff)"
        " WHERE s.username = $1 AND NOT s.disabled",
        username,
    )
    return None if row is None else (as_account(row), row["password_hash"])

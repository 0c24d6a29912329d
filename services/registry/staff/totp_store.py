"""Second factors in PostgreSQL: sealed secrets, the newest step that was used, hashed recovery codes."""

from datetime import datetime

import msgspec

from services.registry.staff.store import note
from services.shared.postgres import Connection, Pool, transaction


class Factor(msgspec.Struct, frozen=True):
    """A second factor; it counts once it is enrolled."""

    sealed_secret: bytes
    enrolled: bool


async def find(connection: Connection | Pool, staff: str) -> Factor | None:
    row = await connection.fetchrow(
        "SELECT sealed_secret, enrolled_at IS NOT NULL AS enrolled FROM staff_totp WHERE staff = $1", staff
    )
    return None if row is None else Factor(row["sealed_secret"], row["enrolled"])


async def start(pool: Pool, staff: str, sealed_secret: bytes, now: datetime) -> bool:
    """Keep a secret that is yet to be confirmed; False where a factor is enrolled already."""
    async with transaction(pool) as connection:
        started = await connection.fetchval(
            "INSERT INTO staff_totp AS t (staff, sealed_secret, started_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (staff) DO UPDATE SET sealed_secret = excluded.sealed_secret,"
            " started_at = excluded.started_at, last_step = 0 WHERE t.enrolled_at IS NULL RETURNING true",
            staff,
            sealed_secret,
            now,
        )
        if started:
            await note(connection, now, staff, staff, "totp_started", {})
    return bool(started)


async def enrol(
    pool: Pool, staff: str, sealed_secret: bytes, step: int, code_hashes: list[bytes], now: datetime
) -> bool:
    """Let the started factor count; False where it was started anew, or enrolled, meanwhile."""
    async with transaction(pool) as connection:
        enrolled = await connection.fetchval(
            "UPDATE staff_totp SET enrolled_at = $3, last_step = $4"
            " WHERE staff = $1 AND sealed_secret = $2 AND enrolled_at IS NULL RETURNING true",
            staff,
            sealed_secret,
            now,
            step,
        )
        if not enrolled:
            return False
        await connection.execute("DELETE FROM recovery_codes WHERE staff = $1", staff)
        await connection.execute(
            "INSERT INTO recovery_codes (staff, code_hash) SELECT $1, unnest($2::bytea[])", staff, code_hashes
        )
        await note(connection, now, staff, staff, "totp_enrolled", {})
    return True


async def use_step(pool: Pool, staff: str, step: int) -> bool:
    """Use a time step; False where it, or a newer one, was used before."""
    used = await pool.fetchval(
        "UPDATE staff_totp SET last_step = $2 WHERE staff = $1 AND enrolled_at IS NOT NULL AND last_step < $2"
        " RETURNING true",
        staff,
        step,
    )
    return bool(used)


async def use_recovery_code(pool: Pool, staff: str, code_hash: bytes, now: datetime) -> bool:
    """Use a recovery code; False where it is unknown or was used before."""
    async with transaction(pool) as connection:
        used = await connection.fetchval(
            "UPDATE recovery_codes SET used_at = $3 WHERE staff = $1 AND code_hash = $2 AND used_at IS NULL"
            " RETURNING true",
            staff,
            code_hash,
            now,
        )
        if used:
            await note(connection, now, staff, staff, "recovery_code_used", {})
    return bool(used)


async def remove(pool: Pool, staff: str, actor: str, now: datetime) -> bool:
    """Give a second factor up, with its recovery codes; False where there is none."""
    async with transaction(pool) as connection:
        gone = await connection.fetchval("DELETE FROM staff_totp WHERE staff = $1 RETURNING true", staff)
        if gone:
            await connection.execute("DELETE FROM recovery_codes WHERE staff = $1", staff)
            await note(connection, now, actor, staff, "totp_removed", {})
    return bool(gone)


async def note_refused(pool: Pool, staff: str, now: datetime) -> None:
    """A right password with a wrong code: worth the owner's and the auditor's attention."""
    async with transaction(pool) as connection:
        await note(connection, now, staff, staff, "totp_refused", {})

"""SQL of the hotline: its append-only log, and codes with what became of them; whether one was used is never read."""

from __future__ import annotations

import asyncpg

from services.shared.postgres import Connection

_ACCOUNT_LOCKS = 28795  # beside the lock classes of the ledger, holds and helpers


async def lookups_within_hour(connection: Connection, staff: str) -> int:
    """Look-ups of this account within the last hour; until the transaction ends nobody else can add to them."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _ACCOUNT_LOCKS, staff)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM hotline_lookups WHERE staff = $1 AND at > clock_timestamp() - interval '1 hour'", staff
    )
    return count


async def note_lookup(connection: Connection, round_number: int, phone_key: bytes, staff: str) -> None:
    """Log who looked; the number itself is not kept."""
    await connection.execute(
        "INSERT INTO hotline_lookups (round_number, phone_key, staff) VALUES ($1, $2, $3)",
        round_number,
        phone_key,
        staff,
    )


async def codes_of(connection: Connection, round_number: int, phone_key: bytes, rows_max: int) -> list[asyncpg.Record]:
    """created_at, route, expired, and states and failures of the attempts in their order; newest code first."""
    return await connection.fetch(
        "SELECT c.created_at, c.route, c.expires_at <= clock_timestamp() AS expired, d.states, d.failures"
        " FROM code_requests AS c CROSS JOIN LATERAL ("
        "  SELECT coalesce(array_agg(state ORDER BY id), '{}') AS states,"
        "  coalesce(array_agg(failure ORDER BY id), '{}') AS failures"
        "  FROM code_deliveries WHERE request = c.request) AS d"
        " WHERE c.round_number = $1 AND c.phone_key = $2 ORDER BY c.created_at DESC LIMIT $3",
        round_number,
        phone_key,
        rows_max,
    )

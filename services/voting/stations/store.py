"""SQL of stations: registering them, counting a helper's work, reporting their ballots. Called by this package only."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from services.shared.postgres import Connection, Pool

_HELPER_LOCKS = 28794  # beside the ledger's and the holds' lock classes


async def add(connection: Connection, round_number: int, name: str, unit: str, registered_by: str) -> int | None:
    """The number of a new station, or None when the round has one of this name."""
    found: int | None = await connection.fetchval(
        "INSERT INTO stations (round_number, name, unit, registered_by) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (round_number, name) DO NOTHING RETURNING station",
        round_number,
        name,
        unit,
        registered_by,
    )
    return found


async def find(pool: Pool, round_number: int, station: int) -> asyncpg.Record | None:
    """station, name, unit, closed_at of a station of this round."""
    return await pool.fetchrow(
        "SELECT s.station, s.name, s.unit, c.closed_at FROM stations AS s"
        " LEFT JOIN station_closings AS c USING (station) WHERE s.round_number = $1 AND s.station = $2",
        round_number,
        station,
    )


async def close(connection: Connection, station: int, closed_by: str) -> datetime | None:
    """When the station was closed by this call, or None when it was closed before."""
    found: datetime | None = await connection.fetchval(
        "INSERT INTO station_closings (station, closed_by) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING closed_at",
        station,
        closed_by,
    )
    return found


async def reported(pool: Pool, round_number: int) -> list[asyncpg.Record]:
    """station, name, unit, closed_at, ballots, sessions of a round's stations: never a candidate, never a person."""
    return await pool.fetch(
        "SELECT s.station, s.name, s.unit, c.closed_at,"
        " (SELECT count(*) FROM ballots AS b WHERE b.round_number = $1 AND b.station = s.station) AS ballots,"
        " (SELECT count(*) FROM station_sessions AS w WHERE w.station = s.station) AS sessions"
        " FROM stations AS s LEFT JOIN station_closings AS c USING (station)"
        " WHERE s.round_number = $1 ORDER BY s.station",
        round_number,
    )


async def by_hour(pool: Pool, round_number: int, zone: str) -> list[asyncpg.Record]:
    """station, hour, ballots, sessions of the last thousand hours in which a station was used, newest first."""
    return await pool.fetch(
        "SELECT station, date_trunc('hour', at, $2) AS hour, count(*) FILTER (WHERE ballot) AS ballots,"
        " count(*) FILTER (WHERE NOT ballot) AS sessions FROM ("
        "  SELECT station, recorded_at AS at, true AS ballot FROM ballots"
        "  WHERE round_number = $1 AND station IS NOT NULL"
        "  UNION ALL SELECT s.station, w.at, false FROM stations AS s JOIN station_sessions AS w USING (station)"
        "  WHERE s.round_number = $1) AS used"
        " GROUP BY station, hour ORDER BY hour DESC, station LIMIT 1000",
        round_number,
        zone,
    )


async def helped_within_hour(connection: Connection, helper: str) -> int:
    """People this helper signed in within the last hour; until the transaction ends nobody else can add to them."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _HELPER_LOCKS, helper)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM station_sessions WHERE helper = $1 AND at > clock_timestamp() - interval '1 hour'", helper
    )
    return count


async def add_session(connection: Connection, station: int, helper: str) -> None:
    await connection.execute("INSERT INTO station_sessions (station, helper) VALUES ($1, $2)", station, helper)

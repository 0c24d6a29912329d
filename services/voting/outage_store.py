"""SQL of the outage rule: heartbeats of the workers, and the extensions decided from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.shared.postgres import Connection, Pool
from services.voting.outage import Extension, Failure, Minute


async def add_heartbeats(pool: Pool, worker: UUID, minute: datetime, rounds: Mapping[int, Minute]) -> None:
    """One row a round. A row more than two minutes late is left out: what was not known then counts as failed."""
    seen = list(rounds.values())
    await pool.execute(
        "INSERT INTO heartbeats (round_number, minute, worker, answered, failed, codes_sent, codes_unsent)"
        " SELECT i.number, $1, $2, i.answered, i.failed, i.sent, i.unsent"
        " FROM unnest($3::int[], $4::int[], $5::int[], $6::int[], $7::int[])"
        "  AS i (number, answered, failed, sent, unsent)"
        " WHERE $1::timestamptz > clock_timestamp() - interval '3 minutes' ON CONFLICT DO NOTHING",
        minute,
        worker,
        list(rounds),
        [each.answered for each in seen],
        [each.failed for each in seen],
        [each.codes_sent for each in seen],
        [each.codes_unsent for each in seen],
    )


async def minutes(pool: Pool, round_number: int, since: datetime, until: datetime) -> dict[datetime, Minute]:
    """What all workers saw in the minutes `[since, until)`; a minute nobody wrote is missing."""
    rows = await pool.fetch(
        "SELECT minute, sum(answered)::bigint AS answered, sum(failed)::bigint AS failed,"
        " sum(codes_sent)::bigint AS sent, sum(codes_unsent)::bigint AS unsent"
        " FROM heartbeats WHERE round_number = $1 AND minute >= $2 AND minute < $3 GROUP BY minute",
        round_number,
        since,
        until,
    )
    return {row["minute"]: Minute(row["answered"], row["failed"], row["sent"], row["unsent"]) for row in rows}


async def extensions(reader: Pool | Connection, round_number: int) -> tuple[Extension, ...]:
    """Every extension of a round, in order."""
    rows = await reader.fetch(
        "SELECT number, closed_before, closes, failed_from, failed_until, decided_at FROM extensions"
        " WHERE round_number = $1 ORDER BY number",
        round_number,
    )
    return tuple(Extension(**row) for row in rows)


async def extend(
    connection: Connection, round_number: int, number: int, closed_before: datetime, closes: datetime, failure: Failure
) -> Extension | None:
    """The extension this call decided; None when the round was sealed or another process was first."""
    added = await connection.fetchrow(
        "INSERT INTO extensions (round_number, number, closed_before, closes, failed_from, failed_until)"
        " SELECT r.number, $2, $3, $4, $5, $6 FROM rounds AS r WHERE r.number = $1 AND r.sealed_at IS NULL"
        " ON CONFLICT DO NOTHING"
        " RETURNING number, closed_before, closes, failed_from, failed_until, decided_at",
        round_number,
        number,
        closed_before,
        closes,
        failure.since,
        failure.until,
    )
    return Extension(**added) if added else None

"""Reading the log from PostgreSQL; appending is `record.py`, chaining `chain.py`."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from services.registry.log.entries import Entry, Filters
from services.registry.log.record import record
from services.shared.postgres import Pool

_EXPORT_BATCH = 1000


def _values(asked: Filters) -> tuple[Any, ...]:
    return (
        asked.actor or None, asked.kind or None, asked.object or None, asked.round or None, asked.action or None,
        asked.since, asked.until,
    )  # fmt: skip


async def search(pool: Pool, asked: Filters, before_id: int | None, limit: int) -> list[Entry]:
    """Up to `limit` entries, newest first, older than `before_id` where it is given."""
    rows = await pool.fetch(
        """
        SELECT e.id, c.n, e.at, e.actor, e.action, e.kind, e.object, e.round, e.before, e.after, e.personal,
            encode(c.hash, 'hex') AS hash
        FROM log_entries e LEFT JOIN log_chain c ON c.entry = e.id
        WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR kind = $2)
          AND ($3::text IS NULL OR object = $3) AND ($4::text IS NULL OR round = $4)
          AND ($5::text IS NULL OR starts_with(action, $5)) AND ($6::timestamptz IS NULL OR at >= $6)
          AND ($7::timestamptz IS NULL OR at < $7) AND ($8::bigint IS NULL OR id < $8)
        ORDER BY id DESC LIMIT $9
        """,
        *_values(asked),
        before_id,
        limit,
    )
    return [Entry(**dict(row)) for row in rows]


async def export(pool: Pool, asked: Filters) -> AsyncIterator[list[Any]]:
    """Batches of chained entries in the order of the chain, with their canonical `line`.

    Entries of the last second may not be chained yet, and come with the next export.
    """
    n = 0
    while True:
        rows = await pool.fetch(
            """
            SELECT c.n, e.id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, actor, action,
                kind, object, round, before::text AS before, after::text AS after, personal,
                encode(c.hash, 'hex') AS hash,
                jsonb_build_array(c.n, e.id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    actor, action, kind, object, round, before, after, personal)::text AS line
            FROM log_chain c JOIN log_entries e ON e.id = c.entry
            WHERE ($1::text IS NULL OR actor = $1) AND ($2::text IS NULL OR kind = $2)
              AND ($3::text IS NULL OR object = $3) AND ($4::text IS NULL OR round = $4)
              AND ($5::text IS NULL OR starts_with(action, $5)) AND ($6::timestamptz IS NULL OR at >= $6)
              AND ($7::timestamptz IS NULL OR at < $7) AND c.n > $8
            ORDER BY c.n LIMIT $9
            """,
            *_values(asked),
            n,
            _EXPORT_BATCH,
        )
        if rows:
            yield list(rows)
        if len(rows) < _EXPORT_BATCH:
            return
        n = rows[-1]["n"]


async def note_read(pool: Pool, verb: str, asked: Filters, actor: str, now: datetime) -> None:
    """Reading the log is reading what people did: `log.searched` or `log.exported`, with what was asked."""
    await record(pool, now, actor, f"log.{verb}", "log", "", after=msgspec.to_builtins(asked), personal=True)

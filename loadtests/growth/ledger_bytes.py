"""What a ballot takes on disk: its row with all indexes, and the write-ahead log that a standby and a backup get.

On a ledger of its own in the stage's PostgreSQL, filled by the service's own writer in batches.
"""

from __future__ import annotations

import asyncpg

from loadtests.bench.figures import rounded
from loadtests.bench.limits import BATCH, MIGRATIONS, fresh_entry
from loadtests.bench.stage import Stage
from services.shared.postgres import migrate
from services.voting.ledger import LedgerWriter

BALLOTS = 100_000
_SIZE = "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'ballots'::regclass"


async def measure(stage: Stage, ballots: int = BALLOTS) -> dict[str, float]:
    """{ballots, bytes_per_ballot, wal_bytes_per_ballot}; the first fifth only makes the indexes deep."""
    url = await stage.ensure_database("growth_bytes")
    await migrate(url, url, MIGRATIONS)
    writer, connection = LedgerWriter(url, 60.0), await asyncpg.connect(url, timeout=10, command_timeout=120)
    try:
        number = await connection.fetchval(
            "INSERT INTO rounds (round, version, digest, message) VALUES ('bytes', 1, '', '') RETURNING number"
        )
        await _fill(writer, number, ballots // 5)
        await stage.settle()
        bytes_before, wal_before = await connection.fetchval(_SIZE), await _wal(connection)
        filled = await _fill(writer, number, ballots)
        grown, logged = await connection.fetchval(_SIZE) - bytes_before, await _wal(connection) - wal_before
    finally:
        await writer.drop()
        await connection.close()
    each = {"bytes_per_ballot": rounded(grown / filled), "wal_bytes_per_ballot": rounded(logged / filled)}
    return {"ballots": filled, **each}


async def _fill(writer: LedgerWriter, round_number: int, count: int) -> int:
    batches = max(1, count // BATCH)
    for _ in range(batches):
        await writer.record([fresh_entry(round_number) for _ in range(BATCH)])
    return batches * BATCH


async def _wal(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    return int(await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))

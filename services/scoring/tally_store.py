"""SQL of sealed tallies as voting hands them over, and of what happened to ballots since the newest."""

from __future__ import annotations

from services.scoring.records import Reopening, Tally
from services.shared.messages import ReopenedMessage, TallyMessage
from services.shared.postgres import Connection, Pool

# A connection inside a transaction, or the pool for a single statement.
Reader = Connection | Pool


async def put(connection: Connection, message: TallyMessage) -> bool:
    """Keep a sealed tally; False when it was there already. A second content under one version is an error."""
    fresh = await connection.fetchval(
        "INSERT INTO tallies (round, version, digest, sealed_at, sealed) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (round, version) DO NOTHING RETURNING true",
        message.round, message.version, message.digest, message.sealed_at, message.sealed,
    )  # fmt: skip
    return bool(fresh)


async def newest(reader: Reader, round_id: str) -> Tally | None:
    row = await reader.fetchrow(
        "SELECT version, digest, sealed_at, sealed FROM tallies WHERE round = $1 ORDER BY version DESC LIMIT 1",
        round_id,
    )
    return None if row is None else Tally(**row)


async def put_reopening(connection: Connection, message: ReopenedMessage) -> None:
    """Keep what voting told last of a round."""
    await connection.execute(
        "INSERT INTO tally_reopenings (round, version, undecided, excluded, restored) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (round) DO UPDATE SET version = excluded.version, undecided = excluded.undecided,"
        " excluded = excluded.excluded, restored = excluded.restored",
        message.round, message.version, message.undecided, message.excluded, message.restored,
    )  # fmt: skip


async def reopening(reader: Reader, round_id: str) -> Reopening | None:
    """What keeps the newest tally from being ranked; None where nothing does."""
    row = await reader.fetchrow(
        "SELECT version, undecided, excluded, restored FROM tally_reopenings AS o WHERE round = $1"
        " AND version = (SELECT max(t.version) FROM tallies AS t WHERE t.round = o.round)"
        " AND undecided + o.excluded + restored > 0",
        round_id,
    )
    return None if row is None else Reopening(**row)

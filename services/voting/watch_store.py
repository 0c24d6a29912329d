"""SQL of what an operator watches: how far the tally is behind the ledger."""

from services.shared.postgres import Connection, Pool


async def tally_lag(pool: Pool | Connection) -> tuple[int, float]:
    """(ledger rows that the tally has yet to take up, age of the oldest in s); counted up to ten thousand.

    The bound also tells PostgreSQL to begin at the checkpoint: it expects a third of the ledger behind it.
    """
    row = await pool.fetchrow(
        "SELECT count(*) AS ballots,"
        " coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS oldest_s FROM ("
        " SELECT b.recorded_at FROM ballots AS b"
        " WHERE (b.xid, b.index) > ((SELECT xid FROM tally_checkpoint), (SELECT index FROM tally_checkpoint))"
        " ORDER BY b.xid, b.index LIMIT 10000) AS waiting"
    )
    assert row is not None
    return row["ballots"], row["oldest_s"]

"""SQL of the statistics that stand beside rankings. Called by `statistics.py` only."""

from __future__ import annotations

from services.shared.postgres import Pool


async def next_without_statistics(pool: Pool) -> tuple[str, int] | None:
    """(round, version) of the newest ranking that lacks its statistics: a published one, or a round's newest."""
    row = await pool.fetchrow(
        "SELECT r.round, r.version FROM rankings AS r"
        " LEFT JOIN ranking_statistics AS s USING (round, version)"
        " LEFT JOIN publications AS p USING (round, version)"
        " WHERE s.version IS NULL AND (p.version IS NOT NULL OR NOT EXISTS"
        " (SELECT FROM rankings AS n WHERE n.round = r.round AND n.version > r.version))"
        " ORDER BY r.created_at DESC, r.round, r.version LIMIT 1"
    )
    return None if row is None else (row["round"], row["version"])


async def put_statistics(pool: Pool, round_id: str, version: int, inputs_digest: str, body: bytes) -> None:
    """Keep a ranking's statistics and what they were made from; what is there already stays."""
    await pool.execute(
        "INSERT INTO ranking_statistics (round, version, inputs_digest, body) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        round_id, version, inputs_digest, body,
    )  # fmt: skip


async def statistics(pool: Pool, round_id: str, version: int) -> bytes | None:
    body: bytes | None = await pool.fetchval(
        "SELECT body FROM ranking_statistics WHERE round = $1 AND version = $2", round_id, version
    )
    return body

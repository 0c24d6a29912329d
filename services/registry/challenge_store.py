"""The books of used proofs of work: what stands there is not good for a second time."""

from datetime import datetime

from services.shared.postgres import Connection, Pool


async def spend(connection: Connection | Pool, challenge: bytes, expires_at: datetime) -> bool:
    """Use a proof of work up; False where it was used before."""
    spent = await connection.fetchval(
        "INSERT INTO used_challenges (challenge, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
        challenge,
        expires_at,
    )
    return bool(spent)


async def sweep(pool: Pool, now: datetime) -> int:
    """Forget those that have expired anyway; at most 1,000 a call."""
    gone = await pool.fetch(
        "DELETE FROM used_challenges WHERE challenge IN"
        " (SELECT challenge FROM used_challenges WHERE expires_at < $1 LIMIT 1000) RETURNING 1",
        now,
    )
    return len(gone)

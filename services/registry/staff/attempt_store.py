"""Damping of guesses in PostgreSQL, so that it holds over workers, restarts and a wiped Valkey."""

from datetime import datetime, timedelta

from services.shared.postgres import Pool, transaction


async def try_sign_in(
    pool: Pool, key: bytes, now: datetime, free: int, pause_max_s: float, forget_after: timedelta
) -> float:
    """Count a try before it is made; returns 0, or the seconds to wait because the last one was too recent.

    Counting first means that parallel tries cannot slip past; a right password sets the count back.
    """
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO sign_in_attempts (attempt_key, failures, last_tried_at) VALUES ($1, 0, $2)"
            " ON CONFLICT DO NOTHING",
            key,
            now - forget_after,
        )
        row = await connection.fetchrow(
            "SELECT failures, last_tried_at FROM sign_in_attempts WHERE attempt_key = $1 FOR UPDATE", key
        )
        if row is None:  # the sweeper took it in between: as good as forgotten
            return 0.0
        failures = 0 if row["last_tried_at"] <= now - forget_after else row["failures"]
        since: timedelta = now - row["last_tried_at"]
        pause = pause_s(failures, free, pause_max_s)
        # Tries side by side may come here in another order than they were made in: `since` is below zero then.
        if pause > 0 and pause > since.total_seconds():
            return pause - since.total_seconds()
        await connection.execute(
            "UPDATE sign_in_attempts SET failures = $2, last_tried_at = greatest(last_tried_at, $3)"
            " WHERE attempt_key = $1",
            key,
            failures + 1,
            now,
        )
    return 0.0


def pause_s(failures: int, free: int, pause_max_s: float) -> float:
    """Seconds that must lie between two tries: none at first, then 1, 2, 4 … up to the maximum."""
    return 0.0 if failures < free else min(2.0 ** min(failures - free, 30), pause_max_s)


async def forgive(pool: Pool, key: bytes) -> None:
    await pool.execute("UPDATE sign_in_attempts SET failures = 0 WHERE attempt_key = $1", key)


async def sweep_attempts(pool: Pool, before: datetime) -> int:
    """Forget damping older than `before`; at most 1,000 rows a call."""
    gone = await pool.fetch(
        "DELETE FROM sign_in_attempts WHERE attempt_key IN"
        " (SELECT attempt_key FROM sign_in_attempts WHERE last_tried_at < $1 LIMIT 1000) RETURNING 1",
        before,
    )
    return len(gone)

"""What rehearsals ask of PostgreSQL: the files of a round, how many rehearsals there are, taking one out of view."""

from datetime import datetime

from services.shared.postgres import Connection, Pool


async def files_of_round(pool: Pool, round_id: str) -> dict[str, str]:
    """The files a round was made of, without the secret ones, whose content was never kept."""
    rows = await pool.fetch(
        "SELECT name, content FROM round_files WHERE round = $1 AND content IS NOT NULL ORDER BY name", round_id
    )
    return {row["name"]: row["content"] for row in rows}


async def next_number(pool: Pool, beginning: str) -> int:
    """One more than the rounds whose id begins like this."""
    known: int = await pool.fetchval("SELECT count(*) FROM rounds WHERE starts_with(round, $1)", beginning)
    return known + 1


async def remove(connection: Connection, round_id: str, at: datetime) -> None:
    await connection.execute("UPDATE round_states SET removed_at = $2 WHERE round = $1", round_id, at)

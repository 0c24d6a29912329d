"""SQL of observers' keys. Called by `keys.py` only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from services.shared.postgres import Pool

_KEY = "number, name, made_by, made_at, last_used_on, withdrawn_by, withdrawn_at"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; one that was withdrawn opens nothing."""

    number: int
    name: str
    made_by: str
    made_at: datetime
    last_used_on: date | None = None
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = None


async def put(pool: Pool, name: str, hashed: bytes, made_by: str, at: datetime) -> Key:
    row = await pool.fetchrow(
        f"INSERT INTO reader_keys (name, hash, made_by, made_at) VALUES ($1, $2, $3, $4) RETURNING {_KEY}",  # noqa: S608
        name, hashed, made_by, at,
    )  # fmt: skip
    assert row is not None
    return Key(**row)


async def keys(pool: Pool, after: int, limit: int) -> list[Key]:
    """Keys in the order in which they were made, the withdrawn ones too."""
    rows = await pool.fetch(
        f"SELECT {_KEY} FROM reader_keys WHERE number > $1 ORDER BY number LIMIT $2",  # noqa: S608
        after, limit,
    )  # fmt: skip
    return [Key(**row) for row in rows]


async def withdraw(pool: Pool, number: int, by: str, at: datetime) -> Key | None:
    """Withdraw a key; one that was stays as it is. None where there is none."""
    row = await pool.fetchrow(
        "UPDATE reader_keys SET withdrawn_by = coalesce(withdrawn_by, $2), withdrawn_at = coalesce(withdrawn_at, $3)"  # noqa: S608
        f" WHERE number = $1 RETURNING {_KEY}",
        number, by, at,
    )  # fmt: skip
    return None if row is None else Key(**row)


async def stands(pool: Pool, hashed: bytes, today: date) -> bool:
    """Whether a key opens; the day of its use is kept, at most one write a day."""
    row = await pool.fetchrow(
        "SELECT number, last_used_on FROM reader_keys WHERE hash = $1 AND withdrawn_at IS NULL", hashed
    )
    if row is None:
        return False
    if row["last_used_on"] != today:
        await pool.execute("UPDATE reader_keys SET last_used_on = $2 WHERE number = $1", row["number"], today)
    return True

"""SQL of scans, and their record. Called by `scans.py` and the paper sheet's page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.shared.postgres import Connection, Pool

Reader = Connection | Pool


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan without its content; `digest` is the SHA-256 of the bytes."""

    code: str
    digest: str
    media_type: str
    clerk: str
    at: datetime


async def put_scan(connection: Connection, new: Scan, body: bytes) -> None:
    await connection.execute(
        "INSERT INTO paper_scans (code, digest, media_type, body, clerk, at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT DO NOTHING",
        new.code, new.digest, new.media_type, body, new.clerk, new.at,
    )  # fmt: skip


async def scans(reader: Reader, code: str) -> list[Scan]:
    """Scans of a paper sheet, the oldest first."""
    rows = await reader.fetch(
        "SELECT code, digest, media_type, clerk, at FROM paper_scans WHERE code = $1 ORDER BY at, digest", code
    )
    return [Scan(**dict(row)) for row in rows]


async def scan(reader: Reader, code: str, digest: str) -> tuple[Scan, bytes] | None:
    row = await reader.fetchrow(
        "SELECT code, digest, media_type, clerk, at, body FROM paper_scans WHERE code = $1 AND digest = $2",
        code, digest,
    )  # fmt: skip
    if row is None:
        return None
    known = dict(row)
    body: bytes = known.pop("body")
    return Scan(**known), body

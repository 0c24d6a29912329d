"""SQL of sealed tallies: their versions, which of them is published, and what happened to ballots since the newest.

Called by `tally.py` and whoever shows a round. No count of a candidate leaves this file but inside `content`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.shared.postgres import Connection, Pool

_TALLY = "version, digest, sealed_at, sealed_by, events_until"


class Sealed(msgspec.Struct, frozen=True):
    """A sealed tally without its content; it knows the round's ballot events up to `events_until`."""

    version: int
    digest: str
    sealed_at: datetime
    sealed_by: str
    events_until: int


class Version(msgspec.Struct, frozen=True):
    """A sealed tally as it is told to those on duty."""

    version: int
    digest: str
    sealed_at: datetime
    sealed_by: str


class SealedLine(Version, frozen=True):
    """A sealed tally in the office's list; ballots are those recorded, the excluded ones among them."""

    ballots: int
    excluded: int


class Since(msgspec.Struct, frozen=True):
    """Since the newest tally: holds without a decision, ballots newly excluded, ballots that count again."""

    undecided: int
    excluded: int
    restored: int

    @property
    def nothing(self) -> bool:
        return not (self.excluded or self.restored)


async def newest(reader: Connection | Pool, round_number: int) -> Sealed | None:
    """The newest tally of a round; None before the first seal."""
    row = await reader.fetchrow(
        f"SELECT {_TALLY} FROM tallies WHERE round_number = $1 ORDER BY version DESC LIMIT 1",  # noqa: S608
        round_number,
    )
    return None if row is None else Sealed(**row)


async def published(reader: Connection | Pool, round_number: int, digest: str) -> Sealed | None:
    """The tally with this digest, which the published ranking names; "" (told before versions existed) is the first."""
    row = await reader.fetchrow(
        f"SELECT {_TALLY} FROM tallies WHERE round_number = $1 AND ($2 = digest OR ($2 = '' AND version = 1))",  # noqa: S608
        round_number,
        digest,
    )
    return None if row is None else Sealed(**row)


async def version(reader: Connection | Pool, round_number: int, number: int) -> Sealed | None:
    row = await reader.fetchrow(
        f"SELECT {_TALLY} FROM tallies WHERE round_number = $1 AND version = $2",  # noqa: S608
        round_number,
        number,
    )
    return None if row is None else Sealed(**row)


async def content(reader: Connection | Pool, round_number: int, number: int) -> bytes | None:
    """The counts of a version, as they were sealed."""
    found: bytes | None = await reader.fetchval(
        "SELECT content FROM tallies WHERE round_number = $1 AND version = $2", round_number, number
    )
    return found


async def versions(pool: Pool, round_number: int) -> list[Version]:
    """Every version, the newest first; their contents, which may be large, are not looked at."""
    rows = await pool.fetch(
        "SELECT version, digest, sealed_at, sealed_by FROM tallies WHERE round_number = $1 ORDER BY version DESC",
        round_number,
    )
    return [Version(**row) for row in rows]


async def lines(pool: Pool, round_number: int) -> list[SealedLine]:
    """The same with the counts of ballots that their contents tell."""
    rows = await pool.fetch(
        "SELECT version, digest, sealed_at, sealed_by, (c.body ->> 'ballots')::bigint AS ballots,"
        " (c.body ->> 'excluded')::bigint AS excluded"
        " FROM tallies CROSS JOIN LATERAL (SELECT convert_from(content, 'UTF8')::jsonb AS body) AS c"
        " WHERE round_number = $1 ORDER BY version DESC",
        round_number,
    )
    return [SealedLine(**row) for row in rows]


async def since(reader: Connection | Pool, round_number: int) -> Since:
    """What happened to ballots since the newest tally, or since ever where there is none."""
    row = await reader.fetchrow(
        """
        WITH known AS (SELECT coalesce(max(events_until), 0) AS until FROM tallies WHERE round_number = $1),
        excluded_now AS (
            SELECT voter_key, ballot_id FROM ballot_states WHERE round_number = $1 AND state = 'excluded'),
        excluded_then AS (
            SELECT voter_key, ballot_id FROM (
                SELECT DISTINCT ON (voter_key, ballot_id) voter_key, ballot_id, state FROM ballot_events, known
                WHERE round_number = $1 AND id <= known.until ORDER BY voter_key, ballot_id, id DESC) AS states
            WHERE state = 'excluded')
        SELECT (SELECT count(*) FROM (SELECT * FROM excluded_now EXCEPT SELECT * FROM excluded_then) AS e) AS excluded,
               (SELECT count(*) FROM (SELECT * FROM excluded_then EXCEPT SELECT * FROM excluded_now) AS r) AS restored,
               (SELECT count(*) FROM holds AS h WHERE h.round_number = $1 AND NOT EXISTS (
                   SELECT FROM hold_decisions AS d WHERE d.hold = h.hold AND d.confirmed_at IS NOT NULL)) AS undecided
        """,
        round_number,
    )
    assert row is not None
    return Since(**row)


async def undecided(reader: Connection | Pool, round_number: int) -> int:
    """Holds of a round without a confirmed decision."""
    found: int = await reader.fetchval(
        "SELECT count(*) FROM holds AS h WHERE h.round_number = $1 AND NOT EXISTS"
        " (SELECT FROM hold_decisions AS d WHERE d.hold = h.hold AND d.confirmed_at IS NOT NULL)",
        round_number,
    )
    return found


async def put(
    connection: Connection, round_number: int, number: int, digest: str, content: bytes, sealed_by: str
) -> datetime:
    """Keep a version for ever; returns when it was sealed. The first closes the round's ledger."""
    sealed_at: datetime = await connection.fetchval(
        "INSERT INTO tallies (round_number, version, digest, content, sealed_at, sealed_by, events_until)"
        " VALUES ($1, $2, $3, $4, clock_timestamp(), $5,"
        "  (SELECT coalesce(max(id), 0) FROM ballot_events WHERE round_number = $1)) RETURNING sealed_at",
        round_number,
        number,
        digest,
        content,
        sealed_by,
    )
    await connection.execute(
        "UPDATE rounds SET sealed_at = $2 WHERE number = $1 AND sealed_at IS NULL", round_number, sealed_at
    )
    return sealed_at

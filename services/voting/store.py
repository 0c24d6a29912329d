"""SQL of challenges, reissues and results; the ledger, codes, holds and stations have files of their own.

Each function is one statement or one short transaction; callers decide what an answer means.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg

from services.shared.postgres import Connection, Pool
from services.voting.ledger import WHOLE_LEDGER_S


async def use_challenge(pool: Pool, nonce: str, lifetime_s: int) -> bool:
    """True the first time a challenge is used."""
    used: str = await pool.execute(
        "INSERT INTO used_challenges (challenge, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 second')"
        " ON CONFLICT DO NOTHING",
        nonce.encode(),
        lifetime_s,
    )
    return used.endswith(" 1")


async def newest_reissue(connection: Connection, round_number: int, voter_key: bytes) -> int:
    """How many votes this voter was granted anew."""
    found: int = await connection.fetchval(
        "SELECT coalesce(max(reissue), 0) FROM reissues WHERE round_number = $1 AND voter_key = $2",
        round_number,
        voter_key,
    )
    return found


async def turnout(pool: Pool, round_number: int) -> int:
    """Distinct voters counted so far."""
    voters: int = await pool.fetchval(
        "SELECT coalesce(sum(voters), 0)::bigint FROM turnout WHERE round_number = $1", round_number
    )
    return voters


async def turnout_by_hour(pool: Pool, round_number: int, zone: str) -> list[asyncpg.Record]:
    """hour (of the given zone), voters, ballots; never by candidate, unit or district."""
    return await pool.fetch(
        "SELECT date_trunc('hour', minute, $2) AS hour, sum(ballots)::bigint AS ballots, sum(voters)::bigint AS voters"
        " FROM turnout WHERE round_number = $1 GROUP BY 1 ORDER BY 1",
        round_number,
        zone,
    )


async def ballots_by_state(pool: Pool, round_number: int) -> dict[str, int]:
    """Ballots recorded, held, excluded and restored (a ballot counts in its newest state)."""
    states = {
        row["state"]: row["count"]
        for row in await pool.fetch(
            "SELECT state, count(*) AS count FROM ballot_states WHERE round_number = $1 GROUP BY state", round_number
        )
    }
    ballots: int = await pool.fetchval(
        "SELECT coalesce(sum(ballots), 0)::bigint FROM turnout WHERE round_number = $1", round_number
    )
    other = {state: int(states.get(state, 0)) for state in ("held", "excluded", "restored")}
    return {"recorded": max(0, ballots - sum(other.values())), **other}


async def holds_by_reason(pool: Pool) -> list[dict[str, Any]]:
    """{reason, state, ballots} of unsealed rounds, and of ballots held since; a ballot counts in its newest state."""
    rows = await pool.fetch(
        "SELECT s.reason, s.state, count(*) AS ballots FROM ballot_states AS s"
        " JOIN rounds AS r ON r.number = s.round_number WHERE r.sealed_at IS NULL OR s.state = 'held'"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [dict(row) for row in rows]


async def decided_holds(pool: Pool) -> dict[str, int]:
    """{restored, decided}: ballots of all rounds whose newest state two people, or the rules, decided."""
    row = await pool.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'restored') AS restored, count(*) AS decided"
        " FROM ballot_states WHERE state IN ('restored', 'excluded')"
    )
    assert row is not None
    return dict(row)


# What a tally knows of a ballot: its state as of the tally's newest event ($2), not as of today.
_STATES_THEN = (
    "(SELECT DISTINCT ON (voter_key, ballot_id) voter_key, ballot_id, state FROM ballot_events"
    " WHERE round_number = $1 AND id <= $2 ORDER BY voter_key, ballot_id, id DESC) AS s USING (voter_key, ballot_id)"
)


async def published_ballots(
    pool: Pool, round_number: int, events_until: int, rows_max: int
) -> AsyncGenerator[list[asyncpg.Record]]:
    """ballot_id, choices, stratum and state (null: recorded) of every ballot as a tally knows it; in portions."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        cursor = await connection.cursor(
            "SELECT b.ballot_id, b.choices, b.stratum, s.state FROM ballots AS b"  # noqa: S608
            f" LEFT JOIN {_STATES_THEN} WHERE b.round_number = $1",
            round_number,
            events_until,
            timeout=WHOLE_LEDGER_S,
        )
        while portion := await cursor.fetch(rows_max, timeout=WHOLE_LEDGER_S):
            yield portion


async def published_strata(pool: Pool, round_number: int, events_until: int) -> dict[str, int]:
    """Ballots that count in a tally by stratum; a stratum whose ballots were all excluded has 0."""
    rows = await pool.fetch(
        "SELECT b.stratum, count(*) FILTER (WHERE s.state IS DISTINCT FROM 'excluded') AS ballots"  # noqa: S608
        f" FROM ballots AS b LEFT JOIN {_STATES_THEN} WHERE b.round_number = $1 GROUP BY 1",
        round_number,
        events_until,
        timeout=WHOLE_LEDGER_S,
    )
    return {row["stratum"]: row["ballots"] for row in rows}

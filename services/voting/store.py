"""SQL of everything but the ledger and the holds: codes, challenges, results.

Each function is one statement or one short transaction; callers decide what an answer means.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from services.shared.postgres import Connection, Pool


class CodeUse(msgspec.Struct, frozen=True):
    """A code request as it was when a try was made; `wrong_tries` before this try."""

    code_mac: bytes
    wrong_tries: int
    expired: bool
    used: bool


async def use_challenge(pool: Pool, nonce: str, lifetime_s: int) -> bool:
    """True the first time a challenge is used."""
    used: str = await pool.execute(
        "INSERT INTO used_challenges (challenge, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 second')"
        " ON CONFLICT DO NOTHING",
        nonce.encode(),
        lifetime_s,
    )
    return used.endswith(" 1")


async def recent_codes(pool: Pool, round_number: int, phone_key: bytes, address_key: bytes) -> tuple[int, float]:
    """(codes in the last hour for this number from this address, seconds since the newest of them)."""
    row = await pool.fetchrow(
        "SELECT count(*) AS count,"
        " coalesce(extract(epoch FROM clock_timestamp() - max(created_at)), 1e9)::float8 AS newest_s"
        " FROM code_requests WHERE round_number = $1 AND phone_key = $2 AND address_key = $3"
        " AND created_at > clock_timestamp() - interval '1 hour'",
        round_number,
        phone_key,
        address_key,
    )
    assert row is not None
    return row["count"], row["newest_s"]


async def codes_in_last_minute(pool: Pool) -> int:
    """Codes sent to everybody, for the spend breaker."""
    count: int = await pool.fetchval(
        "SELECT count(*) FROM code_requests WHERE created_at > clock_timestamp() - interval '1 minute'"
    )
    return count


async def add_code_request(
    connection: Connection, request: UUID, round_number: int, phone_key: bytes, address_key: bytes, code_mac: bytes,
    lifetime_s: int,
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO code_requests (request, round_number, phone_key, address_key, code_mac, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 second')",
        request,
        round_number,
        phone_key,
        address_key,
        code_mac,
        lifetime_s,
    )


async def find_code(connection: Connection, request: UUID, round_number: int, phone_key: bytes) -> CodeUse | None:
    """The request's code, locked until the end of the transaction so that tries are counted one by one."""
    row = await connection.fetchrow(
        "SELECT code_mac, wrong_tries, expires_at <= clock_timestamp() AS expired, used_at IS NOT NULL AS used"
        " FROM code_requests WHERE request = $1 AND round_number = $2 AND phone_key = $3 FOR UPDATE",
        request,
        round_number,
        phone_key,
    )
    return None if row is None else CodeUse(row["code_mac"], row["wrong_tries"], row["expired"], row["used"])


async def note_try(connection: Connection, request: UUID, *, right: bool) -> None:
    column = "used_at = clock_timestamp()" if right else "wrong_tries = wrong_tries + 1"
    await connection.execute(f"UPDATE code_requests SET {column} WHERE request = $1", request)  # noqa: S608 - no input


async def newest_reissue(connection: Connection, round_number: int, voter_key: bytes) -> int:
    """How many votes this voter was granted anew."""
    found: int = await connection.fetchval(
        "SELECT coalesce(max(reissue), 0) FROM reissues WHERE round_number = $1 AND voter_key = $2",
        round_number,
        voter_key,
    )
    return found


async def sweep(pool: Pool) -> int:
    """Remove spent challenges, and code hashes a day past their time."""
    removed = 0
    for statement in (
        "DELETE FROM used_challenges WHERE expires_at < clock_timestamp()",
        "DELETE FROM code_requests WHERE expires_at < clock_timestamp() - interval '1 day'",
        "DELETE FROM dev_outbox WHERE sent_at < clock_timestamp() - interval '1 day'",
    ):
        removed += int((await pool.execute(statement)).split()[-1])
    return removed


async def turnout(pool: Pool, round_number: int) -> int:
    """Distinct voters counted so far."""
    voters: int = await pool.fetchval(
        "SELECT coalesce(sum(voters), 0)::bigint FROM turnout WHERE round_number = $1", round_number
    )
    return voters


async def turnout_by_hour(pool: Pool, round_number: int) -> list[asyncpg.Record]:
    """hour, ballots, voters: for the office's page; never by candidate."""
    return await pool.fetch(
        "SELECT date_trunc('hour', minute) AS hour, sum(ballots)::bigint AS ballots, sum(voters)::bigint AS voters"
        " FROM turnout WHERE round_number = $1 GROUP BY 1 ORDER BY 1",
        round_number,
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


async def held_ballots(pool: Pool) -> int:
    """Ballots held and undecided in rounds that are not sealed."""
    held: int = await pool.fetchval(
        "SELECT count(*) FROM ballot_states AS s JOIN rounds AS r ON r.number = s.round_number"
        " WHERE s.state = 'held' AND r.sealed_at IS NULL"
    )
    return held


async def sealed_tally(pool: Pool, round_number: int) -> tuple[bytes, datetime, str] | None:
    """(content, sealed_at, digest) of a sealed tally."""
    row = await pool.fetchrow("SELECT content, sealed_at, digest FROM tallies WHERE round_number = $1", round_number)
    return None if row is None else (row["content"], row["sealed_at"], row["digest"])


async def published_ballots(pool: Pool, round_number: int) -> list[asyncpg.Record]:
    """choices, stratum and state (null: recorded) of every ballot of a round, for the published bundle."""
    return await pool.fetch(
        "SELECT b.ballot_id, b.choices, b.stratum, s.state FROM ballots AS b LEFT JOIN ballot_states AS s"
        " USING (round_number, voter_key, ballot_id) WHERE b.round_number = $1",
        round_number,
        timeout=600,
    )

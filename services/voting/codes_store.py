"""SQL of codes: who asked lately, what was spent, and the tries of one request."""

from __future__ import annotations

import secrets
from uuid import UUID

import msgspec

from services.shared.postgres import Connection, Pool
from services.voting.suspicion import Asks

# Enough to tell a burst; counting on would only make a flood dearer for us.
_COUNTED_MAX = 5000
_SHARDS = 4


class Asker(msgspec.Struct, frozen=True):
    """Who asks for a code, as keyed hashes: the number, its ten thousand neighbours, and the device or address."""

    phone_key: bytes
    prefix_key: bytes
    source_key: bytes


class CodeUse(msgspec.Struct, frozen=True):
    """A code request as it was when a try was made; `wrong_tries` before this try."""

    code_mac: bytes
    wrong_tries: int
    expired: bool
    used: bool
    route: str


async def seconds_since_newest(pool: Pool, round_number: int, asker: Asker) -> float:
    """Since the newest code for this number from this source that was not known to have failed on its way."""
    seconds: float = await pool.fetchval(
        "SELECT coalesce(extract(epoch FROM clock_timestamp() - max(c.created_at)), 1e9)::float8"
        " FROM code_requests AS c WHERE c.round_number = $1 AND c.phone_key = $2 AND c.address_key = $3"
        " AND c.created_at > clock_timestamp() - interval '1 hour'"
        " AND ((SELECT bool_and(d.state IN ('failed', 'lost')) FROM code_deliveries AS d WHERE d.request = c.request)"
        "      IS NOT TRUE)",
        round_number,
        asker.phone_key,
        asker.source_key,
    )
    return seconds


async def recent_asks(pool: Pool, round_number: int, asker: Asker, route: str) -> Asks:
    """What suspicion is judged by; the same for a number that voted and one that never will."""
    row = await pool.fetchrow(
        "WITH own AS ("
        " SELECT used_at, wrong_tries, route FROM code_requests WHERE round_number = $1 AND phone_key = $2"
        " AND created_at > clock_timestamp() - interval '1 hour' ORDER BY created_at DESC LIMIT $5),"
        " near AS ("
        " SELECT used_at, created_at < clock_timestamp() - interval '1 minute' AS old FROM code_requests"
        " WHERE round_number = $1 AND prefix_key = $3 AND created_at > clock_timestamp() - interval '10 minutes'"
        " ORDER BY created_at DESC LIMIT $5)"
        " SELECT (SELECT count(*) FROM own WHERE used_at IS NULL AND route = $4) AS number_unproven,"
        " (SELECT coalesce(sum(wrong_tries), 0) FROM own) AS number_failures,"
        " (SELECT count(*) FROM near WHERE old) AS near_asked,"
        " (SELECT count(*) FROM near WHERE old AND used_at IS NULL) AS near_unproven,"
        " (SELECT count(*) FROM near WHERE NOT old AND used_at IS NULL) AS near_waiting",
        round_number,
        asker.phone_key,
        asker.prefix_key,
        route,
        _COUNTED_MAX,
    )
    assert row is not None
    return Asks(**dict(row))


async def add_code_request(
    pool: Pool, request: UUID, round_number: int, asker: Asker, route: str, code_mac: bytes, lifetime_s: int
) -> None:
    """Keep a request and count it as spent, in one statement and so in one transaction."""
    await pool.execute(
        "WITH kept AS ("
        " INSERT INTO code_requests"
        " (request, round_number, phone_key, prefix_key, address_key, route, code_mac, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 second') RETURNING created_at)"
        " INSERT INTO code_spend (since, shard, codes)"
        " SELECT date_bin('10 seconds', created_at, '2000-01-01Z'), $9, 1 FROM kept"
        " ON CONFLICT (since, shard) DO UPDATE SET codes = code_spend.codes + 1",
        request,
        round_number,
        asker.phone_key,
        asker.prefix_key,
        asker.source_key,
        route,
        code_mac,
        lifetime_s,
        secrets.randbelow(_SHARDS),
    )


async def codes_spent(pool: Pool, within_s: float) -> int:
    """Codes of the last `within_s` seconds over everybody, to ten seconds."""
    # The statement's own time: PostgreSQL looks nothing up in an index by a clock that moves while it reads.
    count: int = await pool.fetchval(
        "SELECT coalesce(sum(codes), 0)::bigint FROM code_spend"
        " WHERE since > statement_timestamp() - ($1 + 10) * interval '1 second'",
        within_s,
    )
    return count


async def find_code(connection: Connection, request: UUID, round_number: int, phone_key: bytes) -> CodeUse | None:
    """The request's code, locked until the end of the transaction so that tries are counted one by one."""
    row = await connection.fetchrow(
        "SELECT code_mac, wrong_tries, expires_at <= clock_timestamp() AS expired, used_at IS NOT NULL AS used, route"
        " FROM code_requests WHERE request = $1 AND round_number = $2 AND phone_key = $3 FOR UPDATE",
        request,
        round_number,
        phone_key,
    )
    return None if row is None else CodeUse(**dict(row))


async def spend_try(connection: Connection, request: UUID) -> None:
    """Count a try that proved nothing, or has yet to."""
    await connection.execute("UPDATE code_requests SET wrong_tries = wrong_tries + 1 WHERE request = $1", request)


async def use_code(connection: Connection, request: UUID) -> None:
    """The code is proven: it is good no more."""
    await connection.execute("UPDATE code_requests SET used_at = clock_timestamp() WHERE request = $1", request)


async def sweep(pool: Pool) -> int:
    """Remove spent challenges, and code hashes a day past their time with their deliveries."""
    removed = 0
    for statement in (
        "DELETE FROM used_challenges WHERE expires_at < statement_timestamp()",
        "DELETE FROM code_requests WHERE expires_at < statement_timestamp() - interval '1 day'",
        "DELETE FROM code_spend WHERE since < statement_timestamp() - interval '2 days'",
        "DELETE FROM dev_outbox WHERE sent_at < statement_timestamp() - interval '1 day'",
    ):
        removed += int((await pool.execute(statement)).split()[-1])
    return removed

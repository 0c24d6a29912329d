"""Limits of two servers alone: PostgreSQL recording batches over one connection, Valkey running the turnstile's script.

No HTTP, no other work in between: a batch follows the answer to the one before it, as in one lane of the service.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg

import services.voting
from loadtests.bench import processes
from loadtests.bench.measure import Bench
from loadtests.bench.voters import VOTER_KEY_BYTES
from services.shared.postgres import migrate
from services.shared.redis_client import open_redis
from services.voting.entry import Entry
from services.voting.ledger import LedgerWriter
from services.voting.settings import Limits
from services.voting.turnstile import Turnstile

BATCH = 64
MIGRATIONS = Path(services.voting.__file__).with_name("migrations")
_CHOICES = (1, 8, 15, 22, 29)


async def postgres_batches(bench: Bench) -> dict[str, float]:
    """`record_ballots` with batches of 64 into a ledger of its own, from one connection."""
    stage = bench.stage
    url = await stage.ensure_database("bench_ledger")
    await migrate(url, url, MIGRATIONS)
    connection = await asyncpg.connect(url, timeout=10)
    number = await connection.fetchval(
        "INSERT INTO rounds (round, version, digest, message) VALUES ('limit', 1, '', '') RETURNING number"
    )
    writer = LedgerWriter(url, 30.0)

    async def batch() -> None:
        recorded = await writer.record([fresh_entry(number) for _ in range(BATCH)])
        assert all(one is not None and one.fresh for one in recorded)

    try:
        await stage.settle()
        await batch()
        return await _repeat(bench, batch, "postgres")
    finally:
        await writer.drop()
        await connection.close()


def fresh_entry(round_number: int) -> Entry:
    """A ballot of somebody new."""
    return Entry(
        round_number=round_number, tag="{bench-limit:0}", voter_key=os.urandom(VOTER_KEY_BYTES), period=0, reissue=0,
        ballot_id=uuid4(), choices=_CHOICES, stratum="", route="sms", device=os.urandom(8), address=os.urandom(8),
        received_at=datetime.now(UTC),
    )  # fmt: skip


async def valkey_script(bench: Bench) -> dict[str, float]:
    """The turnstile's script for batches of 64 new voters, over one connection."""
    stage = bench.stage
    redis = open_redis(stage.environment["VOTING_REDIS_URL"], timeout_s=10, connections_max=1, name="bench-limit")
    turnstile = Turnstile(redis, Limits(20, 30, 60, 5), timeout_ms=10_000, open_ms=1000, workers=1)

    async def batch() -> None:
        decisions = await turnstile.check([fresh_entry(1) for _ in range(BATCH)], [], int(time.time() * 1_000_000))
        assert decisions.count(None) == BATCH
        assert turnstile.available

    async with redis:
        await batch()
        return await _repeat(bench, batch, "valkey")


async def _repeat(bench: Bench, batch: Callable[[], Awaitable[None]], server: str) -> dict[str, float]:
    """Batches one after the other for the plan's side time; the CPU is the server's alone."""
    roots = {server: bench.stage.pid(server)}
    before, started, batches = processes.cpu_us(roots)[server], time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < bench.plan.side_seconds:
        await batch()
        batches += 1
    used = processes.cpu_us(roots)[server] - before
    count = batches * BATCH
    return {"ballots_per_s": count / passed, "cpu_us_per_ballot": used / count, "batch_ms": 1000 * passed / batches}

"""A server that is gone without a word: pools give such connections up, and a leader that is gone is succeeded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import pytest

from loadtests.chaos.proxy import HalfOpen, Proxy
from services.cli.embedded.home import SOCKET_NAME, free_port
from services.cli.supervisor import PlatformServers
from services.shared import postgres
from services.shared.postgres import Election, open_pool, transaction
from services.shared.redis_client import REDIS_FAILURES, open_redis
from services.voting import ledger
from services.voting.entry import Entry
from services.voting.ledger import LedgerWriter
from tests.support.databases import Databases
from tests.support.waiting import wait_until

STATEMENT_S = 0.4
LOCK = 4711


@pytest.fixture
async def direct_url(databases: Databases) -> str:
    return (await databases.clone("voting")).app_url


@pytest.fixture
async def line(direct_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Proxy, str]]:
    """A fault proxy before PostgreSQL, and the URL that leads through it."""
    folder = tmp_path_factory.mktemp("l")
    parts = urlsplit(direct_url)
    there = Path(parse_qs(parts.query)["host"][0]) / SOCKET_NAME
    proxy = Proxy(lambda: asyncio.open_unix_connection(there))
    await proxy.listen_at(folder / SOCKET_NAME)
    yield proxy, parts._replace(query=f"host={quote(str(folder), safe='')}").geturl()
    await proxy.close()


async def test_a_pool_is_whole_again_soon_after_all_its_connections_went_silent(line: tuple[Proxy, str]) -> None:
    proxy, url = line
    async with await open_pool(url, size_max=4, statement_timeout_s=STATEMENT_S, name="test") as pool:
        await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.1)") for _ in range(4)))
        assert len(proxy.callers()) == 4
        async with proxy.under(HalfOpen()):
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 1")
        started = time.monotonic()
        # The first that was noticed has condemned the others: none of them is waited for.
        assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(4))) == [1] * 4
        assert time.monotonic() - started < STATEMENT_S + 1
        pool.terminate()


async def test_a_lane_that_was_silent_is_tried_before_ballots_are_trusted_to_it(
    line: tuple[Proxy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_SILENT_MAX_S", 0.0)
    monkeypatch.setattr(ledger, "_TRIED_FOR_S", 0.2)
    proxy, url = line
    entry = Entry(1, "", bytes(16), 0, 0, uuid4(), (1,), "", "sms", None, None, datetime.now(UTC), lookup=True)
    writer = LedgerWriter(url, timeout_s=60)
    assert await writer.record([entry]) == [None]
    async with proxy.under(HalfOpen()):
        pass
    # Not after the batch's own minute.
    assert await asyncio.wait_for(writer.record([entry]), 5) == [None]
    await writer.drop()


async def test_a_leader_that_went_silent_is_succeeded(
    line: tuple[Proxy, str], direct_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still believes in the old leader's connection; it ends it, because nothing comes any more."""
    monkeypatch.setattr(postgres, "_SILENT_MAX_MS", 700)
    proxy, url = line
    old, new = Election(url, LOCK, "old"), Election(direct_url, LOCK, "new")
    assert await old.leads()
    assert not await new.leads()
    async with proxy.under(HalfOpen()):
        await wait_until(new.leads, 5, "the other leads", 0.2)
    assert await new.leads()
    await new.resign()
    await old.resign()


async def test_a_transaction_that_went_silent_gives_its_locks_back(line: tuple[Proxy, str], direct_url: str) -> None:
    proxy, url = line
    lock = "SELECT pg_advisory_xact_lock(1)"
    async with (
        await open_pool(url, size_max=1, statement_timeout_s=STATEMENT_S, name="gone") as gone,
        await open_pool(direct_url, size_max=1, statement_timeout_s=5, name="there") as there,
    ):

        async def hold() -> None:
            async with transaction(gone, idle_max_s=0.5) as connection:
                await connection.execute(lock)
                async with proxy.under(HalfOpen()):
                    async with transaction(there) as other:
                        await other.execute(lock)
                    await connection.execute("SELECT 1")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hold(), 8)
        gone.terminate()


async def test_one_call_that_is_never_answered_gives_up_all_idle_lines_to_valkey(servers: PlatformServers) -> None:
    """Those that lie deeper in the pool would cost their whole time limit each, long after the fault is over."""
    parts = urlsplit(servers.environment["VOTING_REDIS_URL"])
    proxy = Proxy(lambda: asyncio.open_connection(parts.hostname, parts.port))
    port = free_port(None, set())
    await proxy.listen_on(port)
    account = parts.netloc.rpartition("@")[0]
    redis = open_redis(f"redis://{account}@127.0.0.1:{port}/0", timeout_s=0.3, connections_max=4, name="test")
    try:
        await asyncio.gather(*(redis.time() for _ in range(4)))
        async with proxy.under(HalfOpen()):
            with pytest.raises(REDIS_FAILURES):
                await redis.time()
        await asyncio.gather(*(redis.time() for _ in range(4)))
    finally:
        await redis.aclose()
        await proxy.close()

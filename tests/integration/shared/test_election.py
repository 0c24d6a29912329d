"""Election by advisory lock: one leader, another as soon as its connection is gone, and loops that follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.shared.loops import ElectedLoops, Loop
from services.shared.metrics import postgres_connections
from services.shared.postgres import Election
from tests.support.databases import Database, Databases
from tests.support.waiting import wait_until

LOCK = 4711


@pytest.fixture
async def database(databases: Databases) -> Database:
    return await databases.clone("scoring")


@pytest.fixture
async def candidates(database: Database) -> AsyncIterator[tuple[Election, Election]]:
    first, second = (Election(database.app_url, LOCK, name) for name in ("election-first", "election-second"))
    yield first, second
    await first.resign()
    await second.resign()


async def cut(database: Database, name: str) -> None:
    """End a connection from the server's side, as a failover or a network would."""
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", name)
    finally:
        await admin.close()


async def test_only_one_leads(candidates: tuple[Election, Election]) -> None:
    first, second = candidates
    assert await first.leads()
    assert not await second.leads()
    assert await first.leads()


async def test_whoever_resigns_lets_the_other_lead(candidates: tuple[Election, Election]) -> None:
    first, second = candidates
    assert await first.leads()
    await first.resign()
    assert await second.leads()


async def test_the_second_takes_over_when_the_firsts_connection_is_killed(
    database: Database, candidates: tuple[Election, Election]
) -> None:
    first, second = candidates
    assert await first.leads()
    await cut(database, "election-first")
    await wait_until(second.leads, 5, "the second leads")
    assert not await first.leads()


async def test_loops_run_in_one_process_at_a_time_and_survive_the_leaders_connection(database: Database) -> None:
    runs = {"a": 0, "b": 0}

    def loops(name: str) -> ElectedLoops:
        async def once() -> int:
            runs[name] += 1
            return 0

        return ElectedLoops(Election(database.app_url, LOCK, f"loops-{name}"), [Loop("count", once, 0.02)])

    async with loops("a") as first, loops("b") as second:
        await wait_until(lambda: first.leading or second.leading, 5, "somebody leads")
        leader, other = ("a", "b") if first.leading else ("b", "a")
        await wait_until(lambda: runs[leader] > 3, 5, "the leader works")
        assert runs[other] == 0
        assert first.alive
        await cut(database, f"loops-{leader}")
        # Whoever asks first gets the lock: the other, or the same process on a new connection.
        await wait_until(lambda: not (first.leading and second.leading), 5, "the cut was noticed")
        before = sum(runs.values())
        await wait_until(lambda: sum(runs.values()) > before + 3, 10, "somebody works on")
        await wait_until(lambda: first.leading != second.leading, 5, "one of them leads")


async def test_a_failing_step_is_tried_again_and_stops_no_other() -> None:
    class Leader(Election):
        async def leads(self) -> bool:
            return True

    calls = {"bad": 0, "good": 0}

    async def bad() -> int:
        calls["bad"] += 1
        raise ValueError("the row 13900000000 is wrong")

    async def good() -> int:
        calls["good"] += 1
        return 0

    async with ElectedLoops(Leader("", LOCK, "none"), [Loop("bad", bad, 0.01), Loop("good", good, 0.01)]) as running:
        await wait_until(lambda: calls["bad"] >= 2 and calls["good"] >= 5, 5, "both were tried")
        assert running.alive


async def test_cancelling_ends_every_loop_and_who_does_not_lead_tells_nothing() -> None:
    before = len(asyncio.all_tasks())
    postgres_connections.set(20)
    async with ElectedLoops(Election("postgresql://nobody@127.0.0.1:1/x", LOCK, "none"), []) as running:
        assert not running.leading
        await wait_until(
            lambda: postgres_connections._value.get() == 0, 5, "who does not lead tells nothing of elected steps"
        )
    assert len(asyncio.all_tasks()) == before

"""Faults as people at the one origin see them: through Caddy, with signing in, and with the limits as they stand in.

That no fault loses, doubles or alters a ballot is for the fault runs (test_chaos.py, `make chaos`).
"""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.support.waiting import wait_until
from tests.system.town import Town, Voter

ROUND = "faults"
STOPPED_S = 10
# VOTING_DEVICE_ATTEMPTS_PER_MINUTE as shipped.
DEVICE_LIMIT = 30


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def round_loaded() -> list[str]:
    """Which rounds this module has loaded already: one is enough for all faults."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def open_town(town: Town, round_loaded: list[str]) -> Town:
    if not round_loaded:
        await town.load_round(ROUND, open_for_s=900)
        round_loaded.append(ROUND)
    return town


async def check_after(town: Town, voters: list[Voter]) -> None:
    """Recorded once each; another repeat still gives the same receipt; the audit is silent."""
    await town.platform.ready()
    await town.check_recorded(ROUND, voters)
    for voter in voters[:3] + [each for each in voters if each.tries > 1][:5]:
        again = await voter.send(town.http, ROUND)
        assert again is not None
        assert again.status_code == 200
    await town.check_recorded(ROUND, voters)
    await town.check_audit()


@pytest.mark.parametrize("name", ["caddy", "registry"])
async def test_a_process_is_killed_while_ballots_arrive(open_town: Town, name: str) -> None:
    child = open_town.platform.processes[name]
    before = child.pid
    voters = await open_town.vote_through(ROUND, lambda: open_town.platform.kill(name))
    await wait_until(lambda: child.pid not in (None, before), 20, f"the supervisor starts {name} again")
    await check_after(open_town, voters)


async def sign_in_and_vote(town: Town) -> None:
    citizen = town.citizen(ROUND)
    await citizen.sign_in()
    assert (await citizen.vote(["c1"])).status_code == 201
    assert (await citizen.vote(["c2"])).json()["reason"] == "already_voted"


async def test_people_sign_in_while_valkey_is_wiped_or_full(open_town: Town) -> None:
    """What it knew is gone at once; at `maxmemory` every write fails. Limits, hints and streams come back."""
    async with Redis.from_url(open_town.platform.operator_redis_url) as operator:
        await operator.flushall()
        await operator.script_flush()
        await sign_in_and_vote(open_town)
        before = str((await operator.config_get("maxmemory"))["maxmemory"])
        try:
            await operator.config_set("maxmemory", "1")
            await sign_in_and_vote(open_town)
        finally:
            await operator.config_set("maxmemory", before)

        async def filled() -> bool:
            return await operator.exists("registry.rounds", "registry.staff") == 2

        await wait_until(filled, 10, "the streams are filled again")


async def test_valkey_stopped_for_ten_seconds_delays_no_ballot_by_as_much(open_town: Town) -> None:
    """A frozen Valkey is worse than a dead one: nobody refuses, everybody waits. The breaker answers for it."""
    town, citizen = open_town, open_town.citizen(ROUND)
    before = await town.metrics("voting")
    town.platform.kill("valkey", signal.SIGSTOP)
    try:
        stopped_until = time.monotonic() + STOPPED_S
        await asyncio.wait_for(citizen.sign_in(), 10)
        assert (await asyncio.wait_for(citizen.vote(["c1"]), 5)).status_code == 201
        assert (await citizen.vote(["c2"])).json()["reason"] == "already_voted"
        crowd, turned_away = await town.share_a_device(ROUND, DEVICE_LIMIT + 10)
        # Each worker allows its share, so that many workers together allow no more than Valkey would.
        assert set(turned_away) == {"challenge_required"}
        voters = crowd
        while time.monotonic() < stopped_until:
            voters += await town.vote_through(ROUND, lambda: None, count=40)
        during = await town.metrics("voting")
    finally:
        town.platform.kill("valkey", signal.SIGCONT)
    assert len(voters) > 100
    assert during["turnstile_local_total"] - before["turnstile_local_total"] > 100
    assert during["turnstile_breaker_total"] > before["turnstile_breaker_total"]
    await limits_are_back(town)
    await check_after(town, voters)


async def limits_are_back(town: Town) -> None:
    """Valkey decides again, for all workers together, and the metric says so."""

    async def available() -> bool:
        return (await town.metrics("voting"))["turnstile_available"] == 2

    await wait_until(available, 10, "both workers have Valkey again")
    before = await town.metrics("voting")
    crowd, turned_away = await town.share_a_device(ROUND, DEVICE_LIMIT + 5)
    # The allowance refills by one every two seconds.
    assert DEVICE_LIMIT <= len(crowd) <= DEVICE_LIMIT + 3
    assert set(turned_away) == {"challenge_required"}
    assert (await town.metrics("voting"))["turnstile_local_total"] == before["turnstile_local_total"]

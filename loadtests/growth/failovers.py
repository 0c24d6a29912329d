"""A steady stream of ballots while a server is lost for good and another takes over; what was lost and for how long.

Each person repeats a ballot under its id until it is acknowledged. Afterwards the ledger is compared with what people
were told: nothing acknowledged may be missing or doubled.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from loadtests.bench.figures import rounded
from loadtests.growth.postgres_pair import PostgresPair
from loadtests.growth.valkey_cluster import ClusterPlatform, ValkeyCluster
from services.cli.embedded.home import Home
from services.cli.embedded.keys import ensure_keys
from services.cli.people import no_cookies
from services.cli.supervisor import Platform
from services.voting.shards import shard_tag
from tests.system.town import Town, Voter

ROUND, SHARDS, WORKERS = "failover", 3, 2
# One machine plays everybody: its address is not to be told apart from an attack.
SETTINGS = {
    "VOTING_ADDRESS_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_VOTER_ATTEMPTS_PER_MINUTE": "100000",
    "VOTING_TURNSTILE_SHARDS": str(SHARDS),
}
Fault = Callable[[], Awaitable[None]]


@asynccontextmanager
async def _people(platform: Platform) -> AsyncIterator[Town]:
    await platform.ready()
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(
        base_url=platform.urls["origin"], timeout=15, trust_env=False, cookies=no_cookies(), limits=limits
    ) as http:
        town = Town(platform, http)
        await town.load_round(ROUND, open_for_s=7200)
        yield town


async def lose_a_primary_of_the_cluster(folder: Path, per_s: float, seconds: float) -> dict[str, float]:
    """Valkey Cluster: the primary of one shard is killed and its replica takes over."""
    home = Home.at(folder / "home")
    home.create()
    async with (
        ValkeyCluster(folder, ensure_keys(home).valkey_passwords) as cluster,
        ClusterPlatform(home, cluster, workers=WORKERS) as platform,
        _people(platform) as town,
    ):
        lost = await cluster.primary_of(shard_tag(f"{{{ROUND}:0}}", 1, SHARDS))
        before = await town.metrics("voting")
        figures = await vote_through(town, lambda: cluster.kill(lost), per_s, seconds)
        after = await town.metrics("voting")
        decided_here = after["turnstile_local_total"] - before["turnstile_local_total"]
        return figures | {"decided_in_process": decided_here, "turnstile_available": after["turnstile_available"]}


async def lose_the_primary_of_the_pair(folder: Path, per_s: float, seconds: float) -> dict[str, float]:
    """PostgreSQL: the primary is killed and its synchronous standby promoted."""
    async with (
        PostgresPair(folder) as pair,
        Platform(folder / "home", workers=WORKERS, database_url=pair.url, redis_url="") as platform,
        _people(platform) as town,
    ):
        return await vote_through(town, pair.fail_over, per_s, seconds)


async def vote_through(town: Town, fault: Fault, per_s: float, seconds: float) -> dict[str, float]:
    """Ballots arrive at a fixed rate; after a third of the time comes the fault. Waits until all are acknowledged."""
    voters = await town.voters(ROUND, ["c1", "c3"], int(per_s * seconds))
    began, told_at, breaking = time.monotonic(), list[float](), None

    async def insist(voter: Voter) -> None:
        await voter.insist(town.http, ROUND, 60)
        told_at.append(time.monotonic() - began)

    tasks = []
    for place, voter in enumerate(voters):
        if place == len(voters) // 3:
            breaking = asyncio.ensure_future(fault())
        tasks.append(asyncio.create_task(insist(voter)))
        # The rate holds whatever the answers do.
        await asyncio.sleep(max(0.0, began + (place + 1) / per_s - time.monotonic()))
    await asyncio.gather(*tasks)
    assert breaking is not None
    await breaking
    return await _compare(town, voters) | {"longest_pause_s": rounded(_longest_pause_s(told_at)), "seconds": seconds}


def _longest_pause_s(told_at: list[float]) -> float:
    """The longest time in which nobody's ballot was acknowledged."""
    moments = sorted(told_at)
    return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=0.0)


async def _compare(town: Town, voters: list[Voter]) -> dict[str, float]:
    """The ledger beside what people were told."""
    ledger = await town.ledger(ROUND)
    await town.check_audit()
    return {
        "people": len(voters),
        "attempts": sum(voter.tries for voter in voters),
        "acknowledged": sum(bool(voter.receipt) for voter in voters),
        "lost": sum(voter.ballot_id not in ledger for voter in voters if voter.receipt),
        "doubled": sum(rows > 1 for _, rows in ledger.values()),
    }

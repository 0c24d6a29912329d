"""The platform on a Valkey Cluster and a PostgreSQL with a synchronous standby: servers are lost, the promises hold."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from loadtests.growth.postgres_pair import PostgresPair
from loadtests.growth.valkey_cluster import ClusterPlatform, Node, ValkeyCluster
from services.cli.embedded.home import Home
from services.cli.embedded.keys import ensure_keys
from services.cli.people import VOTING, no_cookies
from services.voting.shards import shard_tag
from tests.support.waiting import wait_until
from tests.system.conftest import TUNED
from tests.system.town import Town, Voter, use_own_ports

ROUND = "growth"
SHARDS = 3
DEVICE_LIMIT = 30  # VOTING_DEVICE_ATTEMPTS_PER_MINUTE as shipped
SETTINGS = {
    "VOTING_TURNSTILE_SHARDS": str(SHARDS),
    # Patience, so that a busy machine is not taken for a lost primary; less than the client's own limit, as shipped.
    "VOTING_TURNSTILE_TIMEOUT_MS": "150",
    # Short, so that a commit that waits for a lost standby is given up, and its batch run again, within the test.
    "VOTING_LEDGER_TIMEOUT_S": "2",
    "VOTING_LEDGER_RETRIES": "1",
    "VOTING_STATEMENT_TIMEOUT_S": "2",
}


@dataclass
class Grown:
    """The people, and the servers that may be lost."""

    town: Town
    cluster: ValkeyCluster
    pair: PostgresPair


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Grown]:
    home = Home.at(tmp_path_factory.mktemp("grown"))
    home.create()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (TUNED | SETTINGS).items():
            environment.setenv(name, value)
        use_own_ports(environment)
        async with (
            ValkeyCluster(home.folder, ensure_keys(home).valkey_passwords) as cluster,
            PostgresPair(home.folder / "pair") as pair,
            ClusterPlatform(home, cluster, database_url=pair.url) as platform,
        ):
            await platform.ready()
            async with httpx.AsyncClient(
                base_url=platform.urls["origin"], timeout=15, trust_env=False, cookies=no_cookies()
            ) as http:
                town = Town(platform, http)
                await town.load_round(ROUND, open_for_s=900)
                yield Grown(town, cluster, pair)


def tag(shard: int) -> str:
    return shard_tag(f"{{{ROUND}:0}}", shard, SHARDS)


async def check_everybody(town: Town, voters: list[Voter]) -> None:
    """Recorded once each, a repeat gets the same receipt, a second ballot is refused, and the audit is silent."""
    await town.check_recorded(ROUND, voters)
    for voter in voters[::7]:
        again = await voter.send(town.http, ROUND)
        assert again is not None
        assert again.status_code == 200
        second = await Voter(voter.token, ["c2"]).send(town.http, ROUND)
        assert second is not None
        assert second.json()["reason"] == "already_voted"
    await town.check_audit()


async def vote_until_valkey_decides(town: Town) -> list[Voter]:
    """People vote until both workers ask every shard again; a breaker that is merely closed would not tell."""
    voters: list[Voter] = []

    async def decides() -> bool:
        before = await town.metrics("voting")
        voters.extend(await town.vote(ROUND, ["c2"], 24))
        after = await town.metrics("voting")
        return after["turnstile_local_total"] == before["turnstile_local_total"]

    await wait_until(decides, 25, "Valkey decides of every ballot again", 0.3)
    return voters


async def test_a_rounds_keys_lie_on_every_primary(grown: Grown) -> None:
    """Voters and phones are limited wherever their shards lie, as on one Valkey."""
    town, cluster = grown.town, grown.cluster
    voters = await vote_until_valkey_decides(town)
    assert len({(await cluster.primary_of(tag(shard))).port for shard in range(SHARDS)}) == SHARDS
    crowd, turned_away = await town.share_a_device(ROUND, DEVICE_LIMIT + 5)
    assert DEVICE_LIMIT <= len(crowd) <= DEVICE_LIMIT + 3
    assert set(turned_away) == {"challenge_required"}
    await check_everybody(town, voters + crowd)
    for shard in range(SHARDS):
        async with cluster.operator(await cluster.primary_of(tag(shard))) as client:
            assert await client.hlen(f"{tag(shard)}:hints") > 0


@pytest.mark.parametrize("fault", ["killed", "hanging"])
async def test_a_primary_is_lost_while_ballots_arrive(grown: Grown, fault: str) -> None:
    """In-process limits stand in for its shard, the other shards go on, and its replica takes over."""
    town, cluster = grown.town, grown.cluster
    await vote_until_valkey_decides(town)
    shard = 1 if fault == "killed" else 2
    lost, before = await cluster.primary_of(tag(shard)), await town.metrics("voting")

    async def lose() -> None:
        if fault == "killed":
            await cluster.kill(lost)
        else:
            lost.child.kill(signal.SIGSTOP)

    try:
        voters = await town.vote_through(ROUND, lose, count=120)
        during = await town.metrics("voting")
        await cluster.wait_for_failover(tag(shard), lost)
        voters += await vote_until_valkey_decides(town)
    finally:
        await mend(cluster, lost, fault)
    decided_here = during["turnstile_local_total"] - before["turnstile_local_total"]
    assert 0 < decided_here < 100, "only a part of the ballots was decided without Valkey"
    await check_everybody(town, voters)


async def mend(cluster: ValkeyCluster, lost: Node, fault: str) -> None:
    if fault == "killed":
        await cluster.start(lost)
    else:
        lost.child.kill(signal.SIGCONT)


async def told_of(town: Town, voter: Voter) -> list[int]:
    """The answers to a ballot, and to the question which one was recorded."""
    answer = await voter.send(town.http, ROUND)
    token = {"authorization": f"Bearer {voter.token}"}
    recorded = await town.http.get(f"{VOTING}/rounds/{ROUND}/ballots/mine", headers=token)
    return [answer.status_code if answer is not None else 0, recorded.status_code]


async def a_ballot_that_only_the_primary_has(town: Town, pair: PostgresPair) -> Voter:
    """Its commit was given up while it waited for the standby: it stands, and was never told. Nothing waits on."""
    (voter,) = await town.voters(ROUND, ["c4"], 1)
    answer = await voter.send(town.http, ROUND)
    assert answer is not None
    assert answer.status_code == 503

    async def stands() -> bool:
        return voter.ballot_id in await town.ledger(ROUND)

    await wait_until(stands, 20, "the ballot stands on the primary")
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'voting-ledger'"
    )
    assert await pair.ask(0, waiting) == 0
    return voter


async def test_the_standby_takes_over_under_load_and_nothing_acknowledged_is_lost(
    grown: Grown,
) -> None:
    """While the line between the servers is cut the primary may keep a ballot, but tells nobody of it. After that the
    primary dies while ballots arrive, and the standby is promoted."""
    town, pair = grown.town, grown.pair
    voters = await town.vote(ROUND, ["c1", "c3"], 40)
    await pair.part()
    unsure = await a_ballot_that_only_the_primary_has(town, pair)
    # Now every batch finds it and adds nothing: without a wait of its own it would be told of, and then forgotten.
    assert await told_of(town, unsure) == [503, 503]
    await pair.join()
    await unsure.insist(town.http, ROUND)
    voters += await town.vote_through(ROUND, pair.fail_over, count=120)

    async def ready() -> bool:
        return (await town.http.get(f"{VOTING}/readyz")).status_code == 200

    await wait_until(ready, 20, "voting has found the new primary")
    await check_everybody(town, [*voters, unsure])

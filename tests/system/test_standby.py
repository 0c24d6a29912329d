"""PostgreSQL with a synchronous standby: what was acknowledged outlives the primary; nothing else is acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from loadtests.growth.postgres_pair import PostgresPair
from services.cli.people import VOTING, no_cookies
from services.cli.supervisor import Platform
from tests.support.waiting import wait_until
from tests.system.conftest import TUNED
from tests.system.town import Town, Voter, use_own_ports

ROUND = "standby"
# Short, so that a commit that waits for a lost standby is given up, and its batch run again, within the test.
SHORT = {"VOTING_LEDGER_TIMEOUT_S": "1", "VOTING_LEDGER_RETRIES": "1", "VOTING_STATEMENT_TIMEOUT_S": "2"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paired(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Town, PostgresPair]]:
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (TUNED | SHORT).items():
            environment.setenv(name, value)
        use_own_ports(environment)
        async with (
            PostgresPair(folder) as pair,
            Platform(folder / "home", workers=2, database_url=pair.url, redis_url="") as platform,
        ):
            await platform.ready()
            async with httpx.AsyncClient(
                base_url=platform.urls["origin"], timeout=15, trust_env=False, cookies=no_cookies()
            ) as http:
                town = Town(platform, http)
                await town.load_round(ROUND, open_for_s=900)
                yield town, pair


async def told_of(town: Town, voter: Voter) -> list[int]:
    """The answers to a ballot, and to the question which one was recorded."""
    answer = await voter.send(town.http, ROUND)
    token = {"authorization": f"Bearer {voter.token}"}
    recorded = await town.http.get(f"{VOTING}/rounds/{ROUND}/ballots/mine", headers=token)
    return [answer.status_code if answer is not None else 0, recorded.status_code]


async def a_ballot_that_only_the_primary_has(town: Town, pair: PostgresPair) -> Voter:
    """Its commit was given up while it waited for the standby, as a restart does: it stands, and was never told."""
    (voter,) = await town.voters(ROUND, ["c4"], 1)
    assert await told_of(town, voter) == [503, 404]

    async def stands() -> bool:
        await pair.ask(0, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        return voter.ballot_id in await town.ledger(ROUND)

    await wait_until(stands, 20, "the ballot stands on the primary")
    return voter


async def test_the_standby_takes_over_under_load_and_nothing_acknowledged_is_lost(
    paired: tuple[Town, PostgresPair],
) -> None:
    """While the line between the servers is cut the primary may keep a ballot, but tells nobody of it. After that the
    primary dies while ballots arrive, and the standby is promoted."""
    town, pair = paired
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
    await town.check_recorded(ROUND, [*voters, unsure])
    for voter in voters[::9]:
        again = await voter.send(town.http, ROUND)
        assert again is not None
        assert again.status_code == 200
        second = await Voter(voter.token, ["c2"]).send(town.http, ROUND)
        assert second is not None
        assert second.json()["reason"] == "already_voted"
    await town.check_audit()

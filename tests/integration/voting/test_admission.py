"""Admission under faults, on the real ledger and the real Valkey: what is acknowledged stands, exactly once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from services.shared.postgres import transaction
from services.shared.redis_client import open_redis
from services.voting.admission import Accepted, Admission, Ballot, Outcome, Refused
from services.voting.entry import Entry
from services.voting.ledger import LedgerWriter, Recorded
from services.voting.reasons import Reason
from services.voting.rounds import apply_round
from services.voting.settings import Limits
from services.voting.turnstile import Turnstile
from tests.support.databases import Database, Databases
from tests.support.entries import entry
from tests.support.rounds import round_message, rules_text

LIMITS = Limits(voter=1000, device=1000, address=100_000, verified=5)


class CutWriter(LedgerWriter):
    """Commits, and then loses the reply, as often as it is told to."""

    def __init__(self, url: str, cuts: int) -> None:
        super().__init__(url, 5)
        self.cuts = cuts

    async def record(self, entries: Sequence[Entry]) -> list[Recorded | None]:
        answers = await super().record(entries)
        if self.cuts:
            self.cuts -= 1
            raise ConnectionResetError("the reply was lost after the commit")
        return answers


@pytest.fixture
async def ledger_database(databases: Databases) -> Database:
    database = await databases.clone("voting")
    pool = await asyncpg.create_pool(database.app_url, min_size=1, max_size=2)
    async with transaction(pool) as connection:
        await apply_round(connection, round_message(rules_text()))
    await pool.close()
    return database


@asynccontextmanager
async def running(
    database: Database, redis_url: str, writers: Sequence[LedgerWriter] | None = None, *, queue_max: int = 1000,
    batch_max: int = 64, wait_max_s: float = 20.0,
) -> AsyncIterator[Admission]:  # fmt: skip
    redis = open_redis(redis_url, timeout_s=0.5, connections_max=8, name="test")
    turnstile = Turnstile(redis, LIMITS, timeout_ms=500, open_ms=300, workers=1)
    lanes = writers or [LedgerWriter(database.app_url, 5) for _ in range(2)]
    async with Admission(
        turnstile, lanes, batch_max=batch_max, queue_max=queue_max, retries=3, wait_max_s=wait_max_s
    ) as admission:
        yield admission
    await redis.aclose()


def ballot(voter: bytes | None = None, ballot_id: UUID | None = None, choices: tuple[int, ...] = (1,)) -> Ballot:
    made = entry(voter_key=voter or secrets.token_bytes(16), ballot_id=ballot_id or uuid4(), choices=choices)
    return Ballot(made, asyncio.get_running_loop().create_future())


async def rows(database: Database) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.app_url)
    try:
        return await connection.fetch("SELECT voter_key, ballot_id, choices, receipt FROM ballots")
    finally:
        await connection.close()


@pytest.fixture
def redis_url(servers: PlatformServers, operator_redis: Redis) -> str:
    return servers.environment["VOTING_REDIS_URL"]


async def test_a_lost_reply_after_the_commit_is_answered_with_the_committed_receipt(
    ledger_database: Database, redis_url: str
) -> None:
    writers = [CutWriter(ledger_database.app_url, cuts=2)]
    async with running(ledger_database, redis_url, writers) as admission:
        outcomes = await asyncio.gather(*(admission.submit(ballot()) for _ in range(10)))
    stored = {row["receipt"] for row in await rows(ledger_database)}
    assert len(stored) == 10
    assert {outcome.receipt for outcome in outcomes if isinstance(outcome, Accepted)} == stored


async def test_every_voter_gets_the_receipt_of_the_own_ballot(ledger_database: Database, redis_url: str) -> None:
    """Phones choose their ballot ids: the same id from different people are different ballots."""
    shared_id = uuid4()
    ballots = [ballot(ballot_id=shared_id, choices=(1 + k % 6,)) for k in range(200)]
    async with running(ledger_database, redis_url) as admission:
        outcomes = await asyncio.gather(*(admission.submit(each) for each in ballots))
    by_voter = {row["voter_key"]: row for row in await rows(ledger_database)}
    assert len(by_voter) == 200
    for each, outcome in zip(ballots, outcomes, strict=True):
        assert isinstance(outcome, Accepted)
        assert by_voter[each.entry.voter_key]["receipt"] == outcome.receipt
        assert tuple(by_voter[each.entry.voter_key]["choices"]) == each.entry.choices


async def test_a_thousand_attempts_of_ten_people_are_ten_ballots(ledger_database: Database, redis_url: str) -> None:
    people = [secrets.token_bytes(16) for _ in range(10)]
    async with (
        running(ledger_database, redis_url, queue_max=2000) as first,
        running(ledger_database, redis_url) as second,
    ):
        tasks = [(first if k % 2 else second).submit(ballot(people[k % 10], choices=(1 + k % 6,))) for k in range(1000)]
        outcomes: list[Outcome] = await asyncio.gather(*tasks)
    fresh = [outcome for outcome in outcomes if isinstance(outcome, Accepted) and outcome.fresh]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(fresh) == 10
    assert {outcome.reason for outcome in refused} == {Reason.ALREADY_VOTED}
    assert len(await rows(ledger_database)) == 10


async def test_a_double_tap_inside_one_batch_is_one_ballot(ledger_database: Database, redis_url: str) -> None:
    voter, ballot_id = secrets.token_bytes(16), uuid4()
    async with running(ledger_database, redis_url) as admission:
        outcomes = await asyncio.gather(*(admission.submit(ballot(voter, ballot_id)) for _ in range(5)))
    assert {outcome.receipt for outcome in outcomes if isinstance(outcome, Accepted)} == {
        (await rows(ledger_database))[0]["receipt"]
    }
    assert sum(isinstance(outcome, Accepted) and outcome.fresh for outcome in outcomes) == 1


async def test_one_bad_row_refuses_itself_and_nobody_else(ledger_database: Database, redis_url: str) -> None:
    bad = ballot(choices=(40_000,))  # does not fit a smallint
    good = [ballot() for _ in range(20)]
    async with running(ledger_database, redis_url) as admission:
        outcomes = await asyncio.gather(*(admission.submit(each) for each in [*good[:10], bad, *good[10:]]))
    assert isinstance(outcomes[10], Refused)
    assert outcomes[10].reason is Reason.BAD_BALLOT
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 20
    assert len(await rows(ledger_database)) == 20


async def test_a_phone_that_hangs_up_never_gets_or_causes_anothers_reply(
    ledger_database: Database, redis_url: str
) -> None:
    ballots = [ballot(choices=(1 + k % 6,)) for k in range(100)]
    async with running(ledger_database, redis_url) as admission:
        futures = [admission.submit(each) for each in ballots]
        await asyncio.sleep(0)
        for future in futures[::3]:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
    by_voter = {row["voter_key"]: row for row in await rows(ledger_database)}
    for each, future in zip(ballots, futures, strict=True):
        if not future.cancelled():
            outcome = future.result()
            assert isinstance(outcome, Accepted)
            assert by_voter[each.entry.voter_key]["receipt"] == outcome.receipt


async def test_the_queue_is_bounded(ledger_database: Database, redis_url: str) -> None:
    async with running(ledger_database, redis_url, queue_max=3) as admission:
        futures = [admission.submit(ballot()) for _ in range(3)]
        assert admission.full
        await asyncio.gather(*futures)
        assert not admission.full


async def test_voting_goes_on_while_valkey_is_away(ledger_database: Database) -> None:
    async with running(ledger_database, "redis://127.0.0.1:1/0") as admission:
        voter, ballot_id = secrets.token_bytes(16), uuid4()
        first = await admission.submit(ballot(voter, ballot_id))
        again = await admission.submit(ballot(voter, ballot_id))
        other = await admission.submit(ballot(voter))
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (first.fresh, again.fresh, first.receipt) == (True, False, again.receipt)
    assert isinstance(other, Refused)
    assert other.reason is Reason.ALREADY_VOTED


async def test_a_flushed_script_is_loaded_again_and_a_wiped_valkey_changes_nothing(
    ledger_database: Database, redis_url: str, operator_redis: Redis
) -> None:
    async with running(ledger_database, redis_url) as admission:
        voter = secrets.token_bytes(16)
        assert isinstance(await admission.submit(ballot(voter)), Accepted)
        await operator_redis.script_flush()
        await operator_redis.flushall()
        second = await admission.submit(ballot(voter))
    assert isinstance(second, Refused)
    assert second.reason is Reason.ALREADY_VOTED


async def test_a_full_valkey_changes_nothing(ledger_database: Database, redis_url: str, operator_redis: Redis) -> None:
    """At `maxmemory` every write fails; in-process limits stand in and the ledger decides."""
    before = str((await operator_redis.config_get("maxmemory"))["maxmemory"])
    await operator_redis.config_set("maxmemory", "1")
    try:
        async with running(ledger_database, redis_url) as admission:
            voter, ballot_id = secrets.token_bytes(16), uuid4()
            first = await admission.submit(ballot(voter, ballot_id))
            again = await admission.submit(ballot(voter, ballot_id))
            other = await admission.submit(ballot(voter))
    finally:
        await operator_redis.config_set("maxmemory", before)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert again.receipt == first.receipt
    assert isinstance(other, Refused)
    assert other.reason is Reason.ALREADY_VOTED


async def test_hints_of_another_epoch_count_for_nothing(
    ledger_database: Database, redis_url: str, operator_redis: Redis
) -> None:
    """After a restore the ledger may lack what a hint remembers: the ledger decides."""
    redis = open_redis(redis_url, timeout_s=0.5, connections_max=2, name="test")
    turnstile = Turnstile(redis, LIMITS, timeout_ms=500, open_ms=300, workers=1)
    voter = secrets.token_bytes(16)
    async with Admission(
        turnstile,
        [LedgerWriter(ledger_database.app_url, 5)],
        batch_max=8,
        queue_max=10,
        retries=0,
        wait_max_s=20,
    ) as admission:
        await admission.submit(ballot(voter))
        await admission.submit(ballot())  # carries the hint of the first
        owner = await asyncpg.connect(ledger_database.admin_url)
        await owner.execute("ALTER TABLE ballots DISABLE TRIGGER ALL")
        await owner.execute("DELETE FROM ballots WHERE voter_key = $1", voter)
        await owner.close()
        hinted = await admission.submit(ballot(voter))
        assert isinstance(hinted, Refused)
        turnstile.epoch = secrets.token_bytes(16)
        assert isinstance(await admission.submit(ballot(voter)), Accepted)
    await redis.aclose()


async def test_a_failing_ledger_answers_overloaded_and_the_same_ballot_may_come_again(
    ledger_database: Database, redis_url: str
) -> None:
    each = ballot()
    async with running(ledger_database, redis_url, [LedgerWriter("postgresql://x@127.0.0.1:1/x", 1)]) as admission:
        outcome = await admission.submit(each)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.retry_after_s) == (Reason.OVERLOADED, 3)
    async with running(ledger_database, redis_url) as admission:
        again = await admission.submit(ballot(each.entry.voter_key, each.entry.ballot_id))
    assert isinstance(again, Accepted)


async def test_ballots_of_two_rounds_share_a_batch(ledger_database: Database, redis_url: str) -> None:
    """Each round has its own keys in Valkey; one batch of the ledger takes both."""
    pool = await asyncpg.create_pool(ledger_database.app_url, min_size=1, max_size=1)
    async with transaction(pool) as connection:
        await apply_round(connection, round_message(rules_text(round_id="other"), round_id="other"))
    await pool.close()
    voter = secrets.token_bytes(16)
    both = [entry(voter_key=voter), entry(voter_key=voter, round_number=2, tag="{other:0}", choices=(2,))]
    async with running(ledger_database, redis_url) as admission:
        for _ in range(2):
            ballots = [Ballot(each, asyncio.get_running_loop().create_future()) for each in both]
            outcomes = await asyncio.gather(*(admission.submit(each) for each in ballots))
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [tuple(row["choices"]) for row in await rows(ledger_database)] in ([(1,), (2,)], [(2,), (1,)])


async def test_voters_verified_yesterday_count_for_their_address(redis_url: str, operator_redis: Redis) -> None:
    redis = open_redis(redis_url, timeout_s=5, connections_max=2, name="test")
    limits = Limits(voter=1000, device=1000, address=1, verified=1)
    turnstile = Turnstile(redis, limits, timeout_ms=5000, open_ms=300, workers=1)
    day_us, today_us = 86_400_000_000, 20_000 * 86_400_000_000
    address = secrets.token_bytes(8)
    for days_ago in (0, 1, 2):
        await turnstile.note_verified("{small:0}", address, today_us - days_ago * day_us)
    decisions = await turnstile.check([entry(address=address) for _ in range(4)], [], today_us + 5)
    assert decisions == [None, None, None, Reason.CHALLENGE_REQUIRED]
    await redis.aclose()

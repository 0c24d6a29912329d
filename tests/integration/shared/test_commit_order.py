"""Counting follows the ledger in commit order: a ballot that commits late is counted, whatever its index."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from services.shared.postgres import Connection, Pool, open_pool, transaction
from services.voting.entry import Entry
from services.voting.ledger import LedgerWriter
from services.voting.rounds import apply_round
from services.voting.tally import count_once
from tests.support.databases import Databases
from tests.support.entries import entry
from tests.support.rounds import round_message, rules_text

ROUND = 1


@pytest.fixture
async def ledger_url(databases: Databases) -> str:
    return (await databases.clone("voting")).app_url


@pytest.fixture
async def pool(ledger_url: str) -> AsyncIterator[Pool]:
    async with await open_pool(ledger_url, size_max=6, statement_timeout_s=10, name="test") as pool:
        async with transaction(pool) as connection:
            await apply_round(connection, round_message(rules_text()))
        yield pool


def ballot(*choices: int) -> Entry:
    return entry(round_number=ROUND, choices=choices)


async def insert(connection: Connection, *choices: int) -> None:
    """One ballot inside the caller's transaction, as a slow batch would write it."""
    made = ballot(*choices)
    await connection.execute(
        "INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,"
        " route, received_at, recorded_at) VALUES ($1, $2, 0, 0, $3, $4, $5, $6, '', 'sms', $7, clock_timestamp())",
        ROUND, made.voter_key, made.ballot_id, choices, os.urandom(12), os.urandom(16), made.received_at,
    )  # fmt: skip


async def counted(pool: Pool) -> dict[int, int]:
    while await count_once(pool):
        pass
    rows = await pool.fetch("SELECT candidate_number, votes FROM running_tallies")
    return {row["candidate_number"]: row["votes"] for row in rows}


async def test_a_ballot_with_a_lower_index_that_commits_late_is_counted(pool: Pool) -> None:
    async with pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await insert(slow, 1)
        async with transaction(pool) as connection:
            await insert(connection, 2)
        assert await counted(pool) == {}
        await late.commit()
    assert await counted(pool) == {1: 1, 2: 1}


async def test_a_ballot_that_is_taken_back_is_never_counted(pool: Pool) -> None:
    async with pool.acquire() as slow:
        undone = slow.transaction()
        await undone.start()
        await insert(slow, 1)
        await undone.rollback()
    async with transaction(pool) as connection:
        await insert(connection, 2)
    assert await counted(pool) == {2: 1}


async def test_counting_while_batches_arrive_counts_each_ballot_once(pool: Pool, ledger_url: str) -> None:
    """Several writers, several counters at once, as during a change of leader."""
    writers = [LedgerWriter(ledger_url, 10) for _ in range(3)]

    async def write(writer: LedgerWriter) -> None:
        for _ in range(10):
            await writer.record([ballot(1, 3) for _ in range(7)])
        await writer.drop()

    async def count() -> None:
        for _ in range(20):
            await count_once(pool)

    await asyncio.gather(*map(write, writers), count(), count())
    assert await counted(pool) == {1: 210, 3: 210}
    assert await pool.fetchval("SELECT sum(voters) FROM turnout") == 210


async def test_turnout_counts_a_voter_by_day_once(pool: Pool) -> None:
    """Two ballots of one person on two days are two ballots and one voter."""
    entry = ballot(1)
    for period in (20261121, 20261122):
        await pool.execute(
            "INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum,"
            " route, received_at, recorded_at) VALUES ($1, $2, $3, 0, $4, '{1}', $5, $6, '', 'sms', now(), now())",
            ROUND, entry.voter_key, period, uuid4(), os.urandom(12), os.urandom(16),
        )  # fmt: skip
    assert await counted(pool) == {1: 2}
    row = await pool.fetchrow("SELECT sum(ballots) AS ballots, sum(voters) AS voters FROM turnout")
    assert row is not None
    assert (row["ballots"], row["voters"]) == (2, 1)

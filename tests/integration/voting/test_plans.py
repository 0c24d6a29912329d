"""The hot statements use their indexes: one that reads the whole ledger would be noticed on the last evening only."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from services.cli.supervisor import PlatformServers
from services.shared.postgres import Connection, transaction
from services.voting import codes_store, ledger
from services.voting.codes_store import Asker
from services.voting.ledger import LedgerWriter
from services.voting.rounds import apply_round
from services.voting.tally import count_once
from services.voting.watch_store import tally_lag
from tests.integration.voting.plans import Plans, explained, plain
from tests.support.databases import Database, Databases
from tests.support.entries import entry
from tests.support.rounds import round_message, rules_text

BALLOTS = 20_000
_FILL = """
INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum, route,
                     received_at, recorded_at)
SELECT 1, decode(md5(k::text), 'hex'), 0, 0, gen_random_uuid(), '{1,2}',
       substring(sha256(k::text::bytea) FROM 1 FOR 12), decode(md5('s' || k), 'hex'), '', 'sms', now(), now()
FROM generate_series(1, $1::int) AS k
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(servers: PlatformServers) -> AsyncIterator[Database]:
    """A ledger of some thousand ballots with fresh statistics."""
    database = await Databases(servers.admin_database_url, servers.environment).clone("voting")
    connection = await asyncpg.connect(database.admin_url)
    try:
        await apply_round(connection, round_message(rules_text()))
        await connection.execute(_FILL, BALLOTS, timeout=60)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    yield database


@pytest.fixture
async def plans(filled: Database) -> AsyncIterator[Plans]:
    async with explained(filled.admin_url) as found:
        yield found


async def known_voter(connection: Connection) -> bytes:
    found: bytes = await connection.fetchval("SELECT voter_key FROM ballots LIMIT 1")
    return found


async def test_recording_a_batch_reads_no_table_from_end_to_end(plans: Plans, filled: Database) -> None:
    """New ballots and conflicts alike: the look-up of what conflicted goes through both unique keys."""
    writer = LedgerWriter(filled.app_url, 10)
    writer._connection = plans.connection
    writer._statement = await plans.connection.prepare(ledger._RECORD)
    conflict = entry(voter_key=await known_voter(plans.connection))
    plans.texts.clear()
    fresh, known = await writer.record([entry(voter_key=os.urandom(16)), conflict])
    assert fresh is not None
    assert fresh.fresh
    assert known is not None
    assert not known.fresh
    assert [name for name in plans.scans() if name.startswith("ballots")] == []
    assert any("voter_key" in name for name in plans.indexes()), plans.texts


async def test_a_receipt_is_found_by_its_index(plans: Plans) -> None:
    receipt = await plans.connection.fetchval("SELECT receipt FROM ballots LIMIT 1")
    plans.texts.clear()
    assert await ledger.ballot_of_receipt(plain(plans), receipt) is not None
    assert [name for name in plans.scans() if name.startswith("ballots")] == []
    assert any("receipt" in name for name in plans.indexes())


async def test_ones_newest_ballot_is_found_by_the_voters_key(plans: Plans) -> None:
    voter_key = await known_voter(plans.connection)
    plans.texts.clear()
    assert await ledger.newest_ballot(plain(plans), 1, voter_key) is not None
    assert plans.scans() == []


async def test_a_code_is_found_without_reading_all(plans: Plans) -> None:
    await plans.connection.execute(
        "INSERT INTO code_requests (request, round_number, phone_key, address_key, code_mac, expires_at)"
        " SELECT gen_random_uuid(), 1, decode(md5(k::text), 'hex'), '', '', now()"
        " FROM generate_series(1, 5000) AS k"
    )
    await plans.connection.execute("ANALYZE code_requests")
    plans.texts.clear()
    await codes_store.seconds_since_newest(plain(plans), 1, Asker(b"x" * 16, b"p", b"y"))
    assert "code_requests" not in plans.scans()
    assert "code_requests_of_phone" in plans.indexes()


async def test_counting_continues_from_its_checkpoint(plans: Plans) -> None:
    """Not only by the index, but from that place of it: what was counted before is not read again."""
    await plans.connection.execute(
        "UPDATE tally_checkpoint SET (xid, index) ="
        " (SELECT xid, index FROM ballots ORDER BY xid DESC, index DESC LIMIT 1 OFFSET 10)"
    )
    plans.texts.clear()
    assert (await tally_lag(plain(plans)))[0] == 10
    assert plans.rows_read("ballots") == 10
    plans.texts.clear()
    assert await count_once(plain(plans)) == 10
    assert plans.rows_read("ballots") == 10
    assert [name for name in plans.scans() if name.startswith("ballots")] == []
    assert any("xid_index" in name for name in plans.indexes())


async def test_an_unindexed_question_would_be_noticed(plans: Plans) -> None:
    """The negative control: this test's own net catches what it is made for."""
    async with transaction(plain(plans)) as connection:
        await connection.fetch("SELECT index FROM ballots WHERE salt = $1", b"x" * 16)
        await connection.fetch("SELECT count(*) FROM ballots, (SELECT 0 AS n) AS c WHERE octet_length(salt) > c.n")
    assert plans.scans()
    assert plans.rows_read("ballots") >= BALLOTS

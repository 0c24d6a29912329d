"""Statements about people beside the ballot use their indexes: codes, bonds, stations, hotline, reissues, heartbeats.

A table counts as read from end to end where a whole city's rows stand in it; the few stations of a round do not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.cli.supervisor import PlatformServers
from services.voting import codes_store, hotline_store, outage_store, store
from services.voting.codes_store import Asker
from services.voting.delivery import store as delivery_store
from services.voting.delivery.provider import Report, Taken
from services.voting.identity import binding_store
from services.voting.reissues import store as reissues
from services.voting.stations import store as stations
from tests.integration.voting.plans import Plans, explained, plain
from tests.support.databases import Database, Databases

ROWS = 20_000
NOW = datetime.now(UTC)
KEY = bytes(16)
_FILL = (
    "INSERT INTO rounds (round, version, digest, message)"
    " SELECT 'r' || k, 1, '', '' FROM generate_series(1, $1::int / 100) AS k",
    "INSERT INTO ballots (round_number, voter_key, period, reissue, ballot_id, choices, receipt, salt, stratum, route,"
    " received_at, recorded_at, station) SELECT 1, decode(md5(k::text), 'hex'), 0, 0, gen_random_uuid(), '{1}',"
    " substring(sha256(k::text::bytea) FROM 1 FOR 12), decode(md5('s' || k), 'hex'), '',"
    " CASE WHEN k % 100 = 0 THEN 'station' ELSE 'sms' END, now(), now(),"
    " CASE WHEN k % 100 = 0 THEN 1 + k / 100 % 20 END"
    " FROM generate_series(1, $1::int) AS k",
    "INSERT INTO identities (round_number, id_key, phone_key, place, consent, verified_by)"
    " SELECT 1, decode(md5(k::text), 'hex'), decode(md5('p' || k), 'hex'), 1, '1', 'three_factor'"
    " FROM generate_series(1, $1::int) AS k",
    "INSERT INTO code_requests (request, round_number, phone_key, prefix_key, address_key, code_mac, created_at,"
    " expires_at) SELECT gen_random_uuid(), 1, decode(md5(k::text), 'hex'), decode(md5('n' || k / 50), 'hex'), '', '',"
    " now() - k * interval '1 second', now() - k * interval '1 second' FROM generate_series(1, $1::int) AS k",
    "INSERT INTO code_deliveries (request, provider, route, delivery_id, state)"
    " SELECT request, 'aliyun', 'sms', request, 'accepted' FROM code_requests LIMIT $1",
    "INSERT INTO code_spend (since, shard, codes) SELECT date_bin('10 seconds', now() - k * interval '10 seconds',"
    " '2000-01-01Z'), 0, 1 FROM generate_series(1, $1::int) AS k",
    "INSERT INTO used_challenges (challenge, expires_at) SELECT decode(md5(k::text), 'hex'),"
    " now() + (k - 100) * interval '1 second' FROM generate_series(1, $1::int) AS k",
    "INSERT INTO hotline_lookups (round_number, phone_key, staff, at)"
    " SELECT 1, '', 'o' || k % 50, now() - k * interval '1 minute' FROM generate_series(1, $1::int) AS k",
    "INSERT INTO stations (round_number, name, unit, registered_by)"
    " SELECT 1, 's' || k, 'u', 'a' FROM generate_series(1, $1::int / 1000) AS k",
    "INSERT INTO station_sessions (station, helper, at) SELECT 1 + k % 20, 'h' || k % 200,"
    " now() - k * interval '1 minute' FROM generate_series(1, $1::int) AS k",
    "INSERT INTO reissues (round_number, voter_key, reissue, reason, granted_by, confirmed_by)"
    " SELECT 1, decode(md5(k::text), 'hex'), 1, 'r', 'a', 'b' FROM generate_series(1, $1::int) AS k",
    "INSERT INTO reissue_proposals (round_number, voter_key, ballot_id, reissue, reason, proposed_by)"
    " SELECT 1, voter_key, ballot_id, 1, 'r', 'a' FROM ballots LIMIT $1",
    "INSERT INTO heartbeats (round_number, minute, worker, answered, failed, codes_sent, codes_unsent)"
    " SELECT 1, date_trunc('minute', now()) - k * interval '1 minute', gen_random_uuid(), 1, 0, 0, 0"
    " FROM generate_series(1, $1::int) AS k",
    "INSERT INTO extensions (round_number, number, closed_before, closes, failed_from, failed_until)"
    " SELECT 1 + k % ($1::int / 100), 1 + k / ($1::int / 100), now(), now() + interval '1 hour', now(),"
    " now() + interval '1 minute' FROM generate_series(0, $1::int / 10) AS k",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(servers: PlatformServers) -> AsyncIterator[Database]:
    """Every table of people with some thousand rows and fresh statistics."""
    database = await Databases(servers.admin_database_url, servers.environment).clone("voting")
    connection = await asyncpg.connect(database.admin_url)
    try:
        for statement in _FILL:
            await connection.execute(statement, ROWS, timeout=60)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    yield database


@pytest.fixture
async def plans(filled: Database) -> AsyncIterator[Plans]:
    async with explained(filled.admin_url) as found:
        yield found


Question = Callable[[Any], Awaitable[Any]]
ASKER = Asker(KEY, KEY, KEY)
QUESTIONS: dict[str, tuple[Question, str]] = {
    "the bond of a person": (lambda db: binding_store.bind(db, 1, KEY, KEY, 2, "1", "three_factor"), "identities_pkey"),
    "a pause between codes": (lambda db: codes_store.seconds_since_newest(db, 1, ASKER), "code_requests_of_phone"),
    "suspicion of neighbours": (lambda db: codes_store.recent_asks(db, 1, ASKER, "sms"), "code_requests_of_prefix"),
    "what was spent": (lambda db: codes_store.codes_spent(db, 60), "code_spend_pkey"),
    "the code of a request": (lambda db: codes_store.find_code(db, uuid4(), 1, KEY), "code_requests_"),
    "a wrong try": (lambda db: codes_store.spend_try(db, uuid4()), "code_requests_pkey"),
    "a used code": (lambda db: codes_store.use_code(db, uuid4()), "code_requests_pkey"),
    "the end of a delivery": (lambda db: delivery_store.settle(db, 1, Taken("x")), "code_deliveries_pkey"),
    "a delivery report": (
        lambda db: delivery_store.apply_reports(db, "aliyun", [Report("x", True)]),
        "code_deliveries_provider_delivery_id_key",
    ),
    "deliveries that were lost": (lambda db: delivery_store.give_up_lost(db, 60), "code_deliveries_waiting"),
    "the hotline's codes": (lambda db: hotline_store.codes_of(db, 1, KEY, 20), "code_requests_of_phone"),
    "the hotline's allowance": (lambda db: hotline_store.lookups_within_hour(db, "o1"), "hotline_lookups_of_staff"),
    "a helper's allowance": (lambda db: stations.helped_within_hour(db, "h1"), "station_sessions_of_helper"),
    "the stations' counts": (lambda db: stations.reported(db, 1), "station_sessions_of_station"),
    "the newest reissue": (lambda db: store.newest_reissue(db, 1, KEY), "reissues_pkey"),
    "a proposal of a reissue": (lambda db: reissues.find_proposal(db, 1, uuid4()), "reissue_proposals_pkey"),
    "ballots followed by a reissue": (
        lambda db: reissues.any_granted(db, 1, [KEY], [uuid4()]),
        "reissue_proposals_round_number_voter_key_reissue_key",
    ),
    "the minutes of an outage": (
        lambda db: outage_store.minutes(db, 1, NOW - timedelta(minutes=30), NOW),
        "heartbeats_pkey",
    ),
    "the extensions of a round": (lambda db: outage_store.extensions(db, 1), "extensions_pkey"),
}
_FEW = {"stations", "station_closings", "rounds"}


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_about_people_uses_its_index(plans: Plans, name: str) -> None:
    ask, index = QUESTIONS[name]
    plans.texts.clear()
    await ask(plain(plans))
    assert set(plans.scans()) - _FEW == set()
    assert any(name.startswith(index) for name in plans.indexes()), plans.texts


async def test_the_ballots_of_a_station_are_found_among_the_assisted_ones(plans: Plans) -> None:
    """Assisted ballots have an index of their own in every partition."""
    plans.texts.clear()
    await stations.reported(plain(plans), 1)
    await stations.by_hour(plain(plans), 1, "Asia/Shanghai")
    assert [name for name in plans.scans() if name.startswith("ballots")] == []
    assert any("station" in name and name.startswith("ballots") for name in plans.indexes()), plans.texts


async def test_the_sweeper_reads_only_what_has_expired(plans: Plans) -> None:
    plans.texts.clear()
    await codes_store.sweep(plain(plans))
    assert set(plans.scans()) & {"used_challenges", "code_spend", "code_requests"} == set()
    assert {"used_challenges_expiry", "code_spend_pkey", "code_requests_expiry"} <= plans.indexes()


async def test_without_its_index_a_question_would_be_noticed(plans: Plans) -> None:
    """The negative control: the same question with the index taken away inside a transaction that is undone."""
    undone = plans.connection.transaction()
    await undone.start()
    await plans.connection.execute("DROP INDEX station_sessions_of_helper")
    plans.texts.clear()
    await stations.helped_within_hour(plain(plans), "h1")
    await plans.connection.fetchval("SELECT 1")  # inside a transaction a statement tells its plan when the next comes
    assert "station_sessions" in plans.scans(), plans.texts
    await undone.rollback()

"""The log: every act is in it, chained in commit order; changing one line is noticed; reading it leaves a line."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from hashlib import sha256

import asyncpg
import pytest

from services.registry.audit import INVARIANTS
from services.registry.log.chain import chain_once
from services.registry.log.record import record
from services.shared.postgres import transaction
from tests.integration.registry.conftest import Registry
from tests.support.registry_people import add_channel, add_officer, add_unit
from tests.support.waiting import wait_until


async def _all_chained(registry: Registry) -> int:
    """Entries, once all of them are chained."""
    pool = registry.parts.pool

    async def done() -> bool:
        return bool(await pool.fetchval("SELECT (SELECT count(*) FROM log_entries) = (SELECT count(*) FROM log_chain)"))

    await wait_until(done, 10, "every entry is chained")
    count: int = await pool.fetchval("SELECT count(*) FROM log_chain")
    return count


async def test_acts_are_found_by_actor_object_kind_action_and_time(registry: Registry) -> None:
    unit = await add_unit(registry)
    await add_officer(registry)
    found = (await registry.call("GET", f"/log?kind=unit&object={unit}")).json()["items"]
    assert [each["action"] for each in found] == ["unit.approved", "unit.registered"]
    assert (found[0]["before"], found[0]["actor"]) == ({"state": "pending"}, "platform")
    by_prefix = (await registry.call("GET", "/log?action=channel.&actor=platform")).json()["items"]
    assert [each["object"] for each in by_prefix] == ["wuhua"]
    later = (await registry.call("GET", "/log?from=2999-01-01T00:00:00%2B08:00")).json()
    assert later == {"items": [], "next": None}
    earlier = (await registry.call("GET", "/log?to=2999-01-01T00:00:00Z&limit=1")).json()
    older = (await registry.call("GET", f"/log?limit=1&after={earlier['next']}")).json()
    assert older["items"][0]["id"] < earlier["items"][0]["id"]


async def test_reading_the_log_is_itself_in_the_log(registry: Registry) -> None:
    await registry.add_staff("audit", "auditor")
    await registry.call("GET", "/log?actor=wang", "audit")
    await registry.call("GET", "/log/export", "audit")
    found = (await registry.call("GET", "/log?kind=log&actor=audit", "audit")).json()["items"]
    assert [(each["action"], each["after"], each["personal"]) for each in found] == [
        ("log.searched", {"actor": "audit", "kind": "log"}, True),
        ("log.exported", {}, True),
        ("log.searched", {"actor": "wang"}, True),
    ]


@pytest.mark.parametrize("query", ["from=yesterday", "to=2020-10-01T00:00:00", f"actor={'x' * 201}", "limit=201"])
async def test_a_filter_that_cannot_be_read_is_refused(registry: Registry, query: str) -> None:
    refused = await registry.call("GET", f"/log?{query}")
    assert (refused.status_code, refused.json()["reason"]) == (422, "bad_filter")
    assert (await registry.call("GET", "/log/export?format=xml")).json()["reason"] == "bad_filter"


async def test_anybody_can_follow_the_chain_through_the_exported_lines(registry: Registry) -> None:
    """Nothing of ours is used here: this is what an auditor's own ten lines would do."""
    await add_unit(registry)
    count = await _all_chained(registry)
    lines = (await registry.call("GET", "/log/export")).text.splitlines()
    assert len(lines) >= count
    previous = bytes(32)
    for n, line in enumerate(lines, 1):
        entry = json.loads(line)
        assert (entry["n"], entry["entry"][0]) == (n, n)
        previous = sha256(previous + json.dumps(entry["entry"], ensure_ascii=False).encode()).digest()
        assert entry["hash"] == previous.hex()


async def test_the_csv_can_be_opened_in_a_spreadsheet_without_computing_anything(registry: Registry) -> None:
    await record(registry.parts.pool, registry.parts.clock.now(), "=1+1", "unit.read", "unit", "u,1", after={"a": "“"})
    await _all_chained(registry)
    text = (await registry.call("GET", "/log/export?format=csv&kind=unit")).text
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["actor"], row["object"], json.loads(row["after"])) == ("'=1+1", "u,1", {"a": "“"})


async def test_entries_are_chained_in_commit_order(registry: Registry) -> None:
    """A transaction that began first and commits last comes last, and is not skipped."""
    pool, now = registry.parts.pool, registry.parts.clock.now()
    await _all_chained(registry)
    async with transaction(pool) as slow:
        await record(slow, now, "slow", "x.done", "x", "1")
        await record(pool, now, "quick", "x.done", "x", "2")
        await asyncio.gather(*(chain_once(pool) for _ in range(3)))
    await _all_chained(registry)
    rows = await pool.fetch("SELECT object FROM log_chain JOIN log_entries ON id = entry WHERE kind = 'x' ORDER BY n")
    assert sorted(row["object"] for row in rows) == ["1", "2"]
    for name in ("the_chain_of_the_log_holds", "the_log_is_chained"):
        assert await pool.fetch(INVARIANTS[name]) == []


async def test_the_chain_goes_on_after_a_restore_that_counts_transactions_anew(registry: Registry) -> None:
    pool = registry.parts.pool
    await _all_chained(registry)
    connection = await asyncpg.connect(registry.database.admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE log_entries SET xid = '9000000000'")
    finally:
        await connection.close()
    await add_channel(registry)
    await add_channel(registry, "panlong")
    await _all_chained(registry)
    assert await pool.fetch(INVARIANTS["the_chain_of_the_log_holds"]) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_entries SET actor = 'somebody else' WHERE id = (SELECT entry FROM log_chain WHERE n = 2)",
        "DELETE FROM log_entries WHERE id = (SELECT entry FROM log_chain WHERE n = 2)",
        "DELETE FROM log_chain WHERE n = 2",
        "UPDATE log_chain SET hash = sha256(hash) WHERE n = (SELECT max(n) FROM log_chain)",
    ],
)
async def test_whoever_rewrites_the_past_is_noticed(registry: Registry, damage: str) -> None:
    await add_unit(registry)
    await _all_chained(registry)
    pool = registry.parts.pool
    with pytest.raises(asyncpg.PostgresError, match=r"permission denied|append-only"):
        await pool.execute(damage)
    connection = await asyncpg.connect(registry.database.admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(damage)
    finally:
        await connection.close()
    assert await pool.fetch(INVARIANTS["the_chain_of_the_log_holds"]) != []


async def test_the_log_is_not_for_everybody(registry: Registry) -> None:
    await registry.add_staff("audit", "auditor")
    await registry.add_staff("review", "reviewer")
    for path in ("/log", "/log/export"):
        answers = [(await registry.call("GET", path, actor)).status_code for actor in ("audit", "review", "")]
        assert answers == [200, 403, 401]

"""The ledger can be spread by the voter's key: what the Citus form says agrees with the schema that migrations make."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg

from tests.integration.voting.test_admission import ledger_database
from tests.support.databases import Database

__all__ = ["ledger_database"]

DISTRIBUTE = Path(__file__).parents[3] / "deploy" / "citus" / "distribute.sql"
_TABLES_OF_VOTERS = """
    SELECT c.relname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE a.attname = 'voter_key' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relnamespace = 'public'::regnamespace"""
# The last condition leaves out what PostgreSQL makes of one key for every partition.
_KEYS_TO_THE_LEDGER = """
    SELECT conname FROM pg_constraint WHERE contype = 'f' AND confrelid = 'ballots'::regclass AND conparentid = 0"""
_UNIQUE_WITHOUT_VOTER = """
    SELECT c.conname FROM pg_constraint AS c WHERE c.conrelid = 'ballots'::regclass AND c.contype IN ('u', 'p')
    AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.conrelid AND a.attname = 'voter_key'
                    AND a.attnum = ANY (c.conkey))"""


async def test_every_table_of_voters_is_spread_and_every_key_between_them_made_again(
    ledger_database: Database,
) -> None:
    text = DISTRIBUTE.read_text("utf-8")
    connection = await asyncpg.connect(ledger_database.admin_url)
    try:
        tables = {row["relname"] for row in await connection.fetch(_TABLES_OF_VOTERS)}
        keys = {row["conname"] for row in await connection.fetch(_KEYS_TO_THE_LEDGER)}
        loose = await connection.fetch(_UNIQUE_WITHOUT_VOTER)
    finally:
        await connection.close()
    assert set(re.findall(r"create_distributed_table\('(\w+)', 'voter_key'", text)) == tables
    assert set(re.findall(r"DROP CONSTRAINT (\w+);", text)) == keys
    assert len(re.findall(r"REFERENCES ballots ", text)) == len(keys)
    # A unique key that lacks the voter's could be checked by no single server.
    assert loose == []

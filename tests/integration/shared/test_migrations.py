"""Migrations: numbered, checked, forward only, and safe when several processes start at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.cli.supervisor import PlatformServers
from services.shared.errors import ConfigurationError, MigrationError
from services.shared.postgres import check_schema, migrate, prepare_schema

DATABASE = "test_migrations"


@dataclass
class Schema:
    """An empty database and a folder of migrations."""

    owner_url: str
    app_url: str
    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    async def migrate(self) -> int:
        return await migrate(self.owner_url, self.app_url, self.folder)

    async def ask(self, query: str) -> object:
        connection = await asyncpg.connect(self.app_url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def check(self) -> None:
        connection = await asyncpg.connect(self.app_url)
        try:
            await check_schema(connection, self.folder)
        finally:
            await connection.close()


def renamed(url: str, database: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@pytest.fixture
async def schema(servers: PlatformServers, tmp_path: Path) -> AsyncIterator[Schema]:
    admin = await asyncpg.connect(servers.admin_database_url)
    environment = servers.environment
    try:
        await admin.execute(f'CREATE DATABASE {DATABASE} OWNER "voting_owner"')
        made = Schema(
            renamed(environment["VOTING_OWNER_DATABASE_URL"], DATABASE),
            renamed(environment["VOTING_DATABASE_URL"], DATABASE),
            tmp_path,
        )
        made.write("0001_create_things.sql", 'CREATE TABLE things (k int); GRANT SELECT ON things TO "${app_role}";')
        yield made
    finally:
        await admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        await admin.close()


async def test_each_file_runs_once_and_grants_to_the_services_role(schema: Schema) -> None:
    assert await schema.migrate() == 1
    assert await schema.migrate() == 0
    assert await schema.ask("SELECT count(*) FROM things") == 0


async def test_a_later_file_is_added(schema: Schema) -> None:
    await schema.migrate()
    schema.write("0002_add_note.sql", "ALTER TABLE things ADD COLUMN note text;")
    assert await schema.migrate() == 1
    assert await schema.ask("SELECT string_agg(number::text, ',') FROM schema_migrations") == "1,2"


async def test_a_file_that_was_changed_after_it_ran_is_refused(schema: Schema) -> None:
    await schema.migrate()
    schema.write("0001_create_things.sql", "CREATE TABLE things (k bigint);")
    with pytest.raises(MigrationError, match=r"0001_create_things\.sql was changed"):
        await schema.migrate()


async def test_a_gap_in_the_numbers_is_refused_before_anything_runs(schema: Schema) -> None:
    schema.write("0003_later.sql", "CREATE TABLE later (k int);")
    with pytest.raises(MigrationError, match="without a gap"):
        await schema.migrate()
    assert await schema.ask("SELECT to_regclass('things')") is None


async def test_a_file_that_fails_leaves_nothing_behind(schema: Schema) -> None:
    schema.write("0002_break.sql", "CREATE TABLE half (k int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await schema.migrate()
    assert await schema.ask("SELECT to_regclass('half')") is None
    assert await schema.ask("SELECT max(number) FROM schema_migrations") == 1


async def test_processes_that_start_at_once_run_each_file_once(schema: Schema) -> None:
    schema.write("0002_fill.sql", "INSERT INTO things SELECT pg_sleep(0.2)::text::int FROM generate_series(1, 0);")
    assert sorted(await asyncio.gather(*(schema.migrate() for _ in range(4)))) == [0, 0, 0, 2]


async def test_a_database_behind_the_software_is_told_and_one_ahead_is_fine(schema: Schema) -> None:
    """During a rolling update old software meets a newer schema; that must not stop it."""
    with pytest.raises(MigrationError, match="is at migration 0, this software needs 1"):
        await schema.check()
    schema.write("0002_add_note.sql", "ALTER TABLE things ADD COLUMN note text;")
    await schema.migrate()
    (schema.folder / "0002_add_note.sql").unlink()
    await schema.check()


async def test_the_services_role_may_not_change_the_schema(schema: Schema) -> None:
    await schema.migrate()
    connection = await asyncpg.connect(schema.app_url)
    try:
        for statement in ("CREATE TABLE mine (k int)", "DROP TABLE things", "DELETE FROM schema_migrations"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_without_the_owner_the_schema_is_only_checked(schema: Schema) -> None:
    with pytest.raises(MigrationError):
        await prepare_schema("voting", "", schema.app_url, schema.folder)
    await schema.migrate()
    await prepare_schema("voting", "", schema.app_url, schema.folder)


async def test_a_server_that_stays_away_is_one_sentence_naming_the_setting(
    schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.shared.postgres._START_WAIT_S", 0.0)
    with pytest.raises(ConfigurationError, match=r"does not answer .* mend VOTING_DATABASE_URL"):
        await prepare_schema("voting", "", "postgresql://nobody@127.0.0.1:1/none", schema.folder)

"""Three databases, six roles: nobody reaches what belongs to another service."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.cli.embedded.databases import Names, bootstrap_databases, database_url
from services.cli.embedded.keys import DATABASE_ROLES, SERVICES
from services.cli.supervisor import PlatformServers

REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidPasswordError)


def url(servers: PlatformServers, role: str, database: str) -> str:
    password = servers.keys.database_passwords[role]
    return database_url(servers.admin_database_url, f"pingxuan_{database}", role, password)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("role", DATABASE_ROLES)
async def test_a_role_enters_its_own_database_only(servers: PlatformServers, role: str, service: str) -> None:
    if role.startswith(service):
        connection = await asyncpg.connect(url(servers, role, service))
        await connection.close()
        return
    with pytest.raises(REFUSED):
        await asyncpg.connect(url(servers, role, service))


@pytest.mark.parametrize("service", SERVICES)
async def test_the_application_owns_nothing(servers: PlatformServers, service: str) -> None:
    """It makes no tables, not even temporary ones, and sees the owner's only as far as a migration grants."""
    owner = await asyncpg.connect(url(servers, f"{service}_owner", service))
    application = await asyncpg.connect(url(servers, f"{service}_app", service))
    try:
        await owner.execute(
            "CREATE TABLE granted (a int); CREATE TABLE kept (a int); GRANT SELECT ON granted TO public"
        )
        assert await application.fetch("SELECT a FROM granted") == []
        for statement in ("SELECT a FROM kept", "CREATE TABLE mine (a int)", "CREATE TEMP TABLE mine (a int)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await application.execute(statement)
    finally:
        await owner.execute("DROP TABLE IF EXISTS granted, kept")
        await owner.close()
        await application.close()


async def test_a_wrong_password_is_refused(servers: PlatformServers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database_url(servers.admin_database_url, "pingxuan_voting", "voting_app", "guess"))


@pytest_asyncio.fixture(loop_scope="session")
async def names(servers: PlatformServers) -> AsyncIterator[Names]:
    """Names of this test's own, and their removal."""
    names = Names("rehearsal_", "rehearsal_")
    yield names
    connection = await asyncpg.connect(servers.admin_database_url)
    for service in SERVICES:
        await connection.execute(f'DROP DATABASE IF EXISTS "{names.database(service)}"')
        await connection.execute(f'DROP ROLE IF EXISTS "{names.owner(service)}", "{names.app(service)}"')
    await connection.close()


async def test_bootstrapping_twice_changes_passwords_and_nothing_else(servers: PlatformServers, names: Names) -> None:
    """A password with quotes and an @ in it is a password like any other."""
    for password in ("first", 'it\'s 100% "p@ss/word"'):
        await bootstrap_databases(servers.admin_database_url, dict.fromkeys(DATABASE_ROLES, password), names)
        address = database_url(servers.admin_database_url, "rehearsal_voting", "rehearsal_voting_app", password)
        connection = await asyncpg.connect(address)
        assert await connection.fetchval("SELECT current_user") == "rehearsal_voting_app"
        await connection.close()


async def test_an_administrator_need_not_be_a_superuser(servers: PlatformServers, names: Names) -> None:
    """Managed servers give no superuser away."""
    connection = await asyncpg.connect(servers.admin_database_url)
    await connection.execute("CREATE ROLE manager LOGIN CREATEDB CREATEROLE PASSWORD 'secret'")
    try:
        manager = database_url(servers.admin_database_url, "postgres", "manager", "secret")
        for _ in range(2):
            await bootstrap_databases(manager, dict.fromkeys(DATABASE_ROLES, "word"), names)
        owner = await connection.fetchval(
            "SELECT rolname FROM pg_database JOIN pg_roles ON datdba = pg_roles.oid WHERE datname = 'rehearsal_scoring'"
        )
        assert owner == "rehearsal_scoring_owner"
    finally:
        for service in SERVICES:
            await connection.execute(f'DROP DATABASE IF EXISTS "{names.database(service)}"')
        await connection.execute("DROP OWNED BY manager; DROP ROLE manager")
        await connection.close()


async def test_servers_that_are_given_are_used(tmp_path: Path) -> None:
    """With both addresses given nothing is started, and the services' addresses lead to those servers."""
    async with PlatformServers(tmp_path / "given", database_url="", redis_url="") as given:
        addresses = {"database_url": given.admin_database_url, "redis_url": given.operator_redis_url}
        async with PlatformServers(tmp_path / "home", **addresses) as servers:
            assert servers.processes == {}
            assert servers.environment["VOTING_REDIS_URL"] == given.operator_redis_url
            connection = await asyncpg.connect(servers.environment["VOTING_DATABASE_URL"])
            assert await connection.fetchval("SELECT current_database()") == "pingxuan_voting"
            await connection.close()
        assert not os.listdir(servers.home.postgres)

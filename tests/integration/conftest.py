"""Real servers for the integration tests: PostgreSQL and Valkey of the platform, started once a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

import services.registry.app
import services.scoring.app
from services.cli.supervisor import PlatformServers
from tests.support.databases import Databases
from tests.support.warm_apps import WarmApps


@pytest.fixture(scope="session", autouse=True)
def warm_apps() -> Iterator[None]:
    """Tests build a service by the hundred; its routes are registered once."""
    warm = WarmApps()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.registry.app, "create_app", warm.create)
        patch.setattr(services.scoring.app, "create_app", warm.create)
        yield


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlatformServers]:
    home: Path = tmp_path_factory.mktemp("home")
    async with PlatformServers(home, database_url="", redis_url="") as servers:
        await _hurry(servers.admin_database_url)
        yield servers


async def _hurry(admin_database_url: str) -> None:
    """Hundreds of databases are made here and thrown away; what survives a crash is tested by embedded/ and system/."""
    connection = await asyncpg.connect(admin_database_url)
    try:
        for setting in ("fsync", "full_page_writes"):
            await connection.execute(f"ALTER SYSTEM SET {setting} = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def databases(servers: PlatformServers) -> Databases:
    return Databases(servers.admin_database_url, servers.environment)


@pytest.fixture
async def operator_redis(servers: PlatformServers) -> AsyncIterator[Redis]:
    """Valkey with every right, empty before the test."""
    async with Redis.from_url(servers.operator_redis_url) as client:
        await client.flushall()
        yield client

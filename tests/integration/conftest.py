"""Real servers for the integration tests: PostgreSQL and Valkey of the platform, started once a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from tests.support.databases import Databases


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlatformServers]:
    home: Path = tmp_path_factory.mktemp("home")
    async with PlatformServers(home, database_url="", redis_url="") as servers:
        yield servers


@pytest.fixture(scope="session")
def databases(servers: PlatformServers) -> Databases:
    return Databases(servers.admin_database_url, servers.environment)


@pytest.fixture
async def operator_redis(servers: PlatformServers) -> AsyncIterator[Redis]:
    """Valkey with every right, empty before the test."""
    async with Redis.from_url(servers.operator_redis_url) as client:
        await client.flushall()
        yield client

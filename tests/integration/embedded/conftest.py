"""Real servers for these tests: one pair for those that only look, a home of its own for those that break things."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from services.cli.supervisor import PlatformServers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PlatformServers]:
    """PostgreSQL and Valkey, shared: leave them as you found them."""
    async with PlatformServers(tmp_path_factory.mktemp("home"), database_url="", redis_url="") as running:
        yield running


@pytest.fixture
def at_home(tmp_path: Path) -> Callable[[], PlatformServers]:
    """Makes the servers of this test's own home, the same home at every call."""
    return lambda: PlatformServers(tmp_path / "home", database_url="", redis_url="")

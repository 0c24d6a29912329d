"""One whole platform of real processes: two voting workers behind their parent, embedded servers, Caddy.

Tests that break something mend it again: the platform is ready before and after each of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.cli.people import no_cookies
from services.cli.supervisor import Platform
from tests.integration.voting.identity_bureau import KEY_ID, SECRET, Bureau
from tests.support.local_server import serving
from tests.system.town import Town, use_own_ports

# One machine plays a whole town: its address and its phones are not to be told apart from an attack.
TUNED = {
    "VOTING_ADDRESS_ATTEMPTS_PER_MINUTE": "100000",
    "VOTING_CHALLENGE_COST": "1",
    "VOTING_CHALLENGE_TRIES_MAX": "4",
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bureau(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Bureau, dict[str, str]]]:
    """Who verifies IDs, and the settings by which the platform finds it."""
    secret = tmp_path_factory.mktemp("bureau") / "secret"
    secret.write_bytes(SECRET)
    async with serving(found := Bureau()) as server:
        yield (
            found,
            {
                "REGISTRY_IDENTITY_PROVIDER": "three_factor",
                "VOTING_IDENTITY_PROVIDER": "three_factor",
                "VOTING_IDENTITY_URL": f"{server.url}/v1/verify",
                "VOTING_IDENTITY_KEY_ID": KEY_ID,
                "VOTING_IDENTITY_SECRET_FILE": str(secret),
            },
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform(
    tmp_path_factory: pytest.TempPathFactory, bureau: tuple[Bureau, dict[str, str]]
) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**TUNED, **bureau[1]}.items():
            environment.setenv(name, value)
        use_own_ports(environment)
        async with Platform(tmp_path_factory.mktemp("platform"), workers=2, database_url="", redis_url="") as running:
            await running.ready()
            yield running


@pytest_asyncio.fixture(loop_scope="session")
async def town(platform: Platform) -> AsyncIterator[Town]:
    """The people of these tests, who come in through the one origin."""
    await platform.ready()
    async with httpx.AsyncClient(
        base_url=platform.urls["origin"], timeout=15, trust_env=False, cookies=no_cookies(),
        limits=httpx.Limits(max_connections=64),
    ) as http:  # fmt: skip
        yield Town(platform, http)
    await platform.ready()

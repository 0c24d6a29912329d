"""A voting service in this process on real PostgreSQL and Valkey, and a citizen who talks HTTP to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from services.cli.people import Citizen, no_cookies
from services.cli.supervisor import PlatformServers
from services.shared.clock import Clock
from services.shared.messages import RoundMessage
from services.shared.postgres import transaction
from services.voting.app import Application
from services.voting.context import Context
from services.voting.rounds import apply_round
from services.voting.settings import VotingSettings
from tests.support.databases import Database, Databases
from tests.support.tasks import in_own_task
from tests.support.waiting import wait_until


@dataclass
class Voting:
    """The running service, its parts and its database."""

    application: Application
    database: Database
    http: httpx.AsyncClient
    settings: VotingSettings

    @property
    def context(self) -> Context:
        assert self.application.context is not None
        return self.application.context

    async def add_round(self, message: RoundMessage) -> None:
        async with transaction(self.context.pool) as connection:
            await apply_round(connection, message)
        await self.context.rounds.refresh()

    def citizen(self, round_id: str = "small", phone: str = "") -> Citizen:
        return Citizen(self.http, round_id, phone)


def voting_settings(servers: PlatformServers, database: Database, keys: Path, **changes: object) -> VotingSettings:
    environment = servers.environment
    values: dict[str, object] = {
        "port": 1,
        "metrics_port": 1,
        "database_url": database.app_url,
        "redis_url": environment["VOTING_REDIS_URL"],
        "web_secret_file": environment["VOTING_WEB_SECRET_FILE"],
        "staff_public_key_file": environment["STAFF_PUBLIC_KEY_FILE"],
        "master_secret_file": environment["VOTING_MASTER_SECRET_FILE"],
        "round_keys_dir": str(keys),
        "tally_key_file": environment["TALLY_KEY_FILE"],
        "sms_provider": "outbox",
        "platform_mode": "embedded",
        "challenge_cost": 1,
        "challenge_tries_max": 4,
        "trusted_proxies": "127.0.0.1",
        # A paused container must not make a test's Valkey look dead.
        "turnstile_timeout_ms": 500,
    }
    return VotingSettings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def settings_changes() -> dict[str, object]:
    """Override in a module or test to run the service with other settings."""
    return {}


@pytest.fixture
def clock() -> Clock:
    """Override in a module to decide the receive time."""
    return Clock()


@pytest.fixture
async def voting(
    servers: PlatformServers,
    databases: Databases,
    operator_redis: Redis,
    tmp_path: Path,
    settings_changes: dict[str, object],
    clock: Clock,
) -> AsyncIterator[Voting]:
    database = await databases.clone("voting")
    keys = tmp_path / f"keys-{os.getpid()}"
    keys.mkdir()
    application = Application(voting_settings(servers, database, keys, **settings_changes), clock)
    app: Litestar = application.litestar
    async with in_own_task(app.lifespan()):
        transport = httpx.ASGITransport(app=application, client=("127.0.0.1", 5000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test", cookies=no_cookies()) as client:
            running = Voting(application, database, client, application.settings)
            await wait_until(lambda: running.context.clock.trustworthy, 5, "the clock is measured")
            yield running

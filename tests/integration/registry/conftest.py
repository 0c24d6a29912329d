"""A registry in this process on real PostgreSQL and Valkey, and the people who talk HTTP to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from services.registry.app import build_litestar
from services.registry.parts import Parts
from services.registry.settings import RegistrySettings
from services.shared.messages import Message, decode
from services.shared.settings import read_secret
from services.shared.tokens import StaffSigner
from services.shared.web import Edge
from tests.support.databases import Database, Databases
from tests.support.tasks import in_own_task
from tests.support.waiting import wait_until

PREFIX = "/api/registry/v1"
ORIGIN = "http://test"


def simple_files(
    round_id: str = "small", *, opens_in_s: float = 3600, lasts_s: float = 3600, more: str = ""
) -> dict[str, str]:
    """rules.toml and candidates.csv of a round that opens in an hour unless told otherwise."""
    opens = datetime.now(UTC) + timedelta(seconds=opens_in_s)
    closes = opens + timedelta(seconds=lasts_s)
    rules = (
        f'schema = 1\n\n[round]\nid = "{round_id}"\ntitle = "小评选"\ntimezone = "Asia/Shanghai"\n\n[windows]\n'
        f"# 投票时间\nvoting = {{ opens = {opens.isoformat(timespec='seconds')}, "
        f"closes = {closes.isoformat(timespec='seconds')} }}\nobjection_working_days = 5\n\n"
        f'[ballot]\nchoices_max = 3\n\n[combination]\nvotes = "1"\nexperts = "0"\n{more}'
    )
    rows = "".join(f"c{k},项目{k},单位{k},区{k % 2},culture,major\n" for k in range(1, 7))
    return {"rules.toml": rules, "candidates.csv": f"candidate,title,unit,channel,category,level\n{rows}"}


@dataclass
class Registry:
    """The running service and everybody who talks to it."""

    app: Litestar
    database: Database
    http: httpx.AsyncClient
    redis: Redis
    signer: StaffSigner

    @property
    def parts(self) -> Parts:
        parts: Parts = self.app.state.parts
        return parts

    def pass_time(self, seconds: float) -> None:
        """Let the service believe that time went by."""
        self.parts.clock.offset_s += seconds

    def headers(self, username: str) -> dict[str, str]:
        token, _ = self.signer.sign(username, username, [], self.parts.clock.now())
        return {"authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, actor: str = "platform", **more: Any) -> httpx.Response:
        """A call under the API prefix with the token of `actor` ("": nobody)."""
        headers = {**(self.headers(actor) if actor else {}), **more.pop("headers", {})}
        return await self.http.request(method, f"{PREFIX}{path}", headers=headers, **more)

    async def add_staff(self, username: str, *roles: str, **more: Any) -> dict[str, Any]:
        made = await self.call("POST", "/staff", json={"username": username, "roles": list(roles), **more})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def load(self, files: dict[str, str], actor: str = "platform", **more: Any) -> httpx.Response:
        return await self.call("POST", "/rounds", actor, json={"files": files, **more})

    async def sign_in(self, username: str, password: str, **headers: str) -> httpx.Response:
        body = {"username": username, "password": password}
        return await self.http.post(f"{PREFIX}/sessions", json=body, headers=headers)

    async def sent(self, stream: str, count: int) -> list[Message]:
        """The messages of a stream once there are `count` of them."""

        async def there() -> bool:
            return bool(await self.redis.xlen(stream) >= count)

        await wait_until(there, 10, f"{count} messages in {stream}")
        entries: Any = await self.redis.xrange(stream)
        return [decode(fields[b"body"]) for _, fields in entries]


def registry_settings(servers: PlatformServers, database: Database, **changes: Any) -> RegistrySettings:
    environment = servers.environment
    settings = RegistrySettings(
        database_url=database.app_url,
        redis_url=environment["REGISTRY_REDIS_URL"],
        web_secret_file=environment["REGISTRY_WEB_SECRET_FILE"],
        staff_public_key_file=environment["STAFF_PUBLIC_KEY_FILE"],
        staff_signing_key_file=environment["STAFF_SIGNING_KEY_FILE"],
        public_origin=ORIGIN,
        trusted_proxies="127.0.0.1",
        platform_mode="embedded",
        attachments_folder=f"{environment['PINGXUAN_HOME']}/attachments",
    )
    return msgspec.structs.replace(settings, **changes)


@asynccontextmanager
async def running_registry(
    servers: PlatformServers, databases: Databases, redis: Redis, **changes: Any
) -> AsyncIterator[Registry]:
    """A registry on a fresh database while the block runs; `changes` are settings."""
    database = await databases.clone("registry")
    app = build_litestar(registry_settings(servers, database, **changes))
    signer = StaffSigner(read_secret(servers.environment["STAFF_SIGNING_KEY_FILE"], "the signing key"))
    async with in_own_task(app.lifespan()):
        transport = httpx.ASGITransport(app=Edge(app), client=("127.0.0.1", 5000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield Registry(app, database, client, redis, signer)


@pytest.fixture
async def registry(servers: PlatformServers, databases: Databases, operator_redis: Redis) -> AsyncIterator[Registry]:
    async with running_registry(servers, databases, operator_redis) as registry:
        yield registry

"""A whole platform of real processes with a fault proxy on every line, and what a fault may do to it.

Services reach PostgreSQL and Valkey, and citizens reach voting, through proxies of this process; whoever judges (the
checker's evidence, the supervisor's readiness) goes around them. One stage serves many runs, one after the other.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import httpx
from redis.asyncio import Redis

from loadtests.chaos.proxy import Proxy, Reader, Writer
from loadtests.chaos.traps import PostgresReader, read_valkey
from services.cli.client import Client
from services.cli.embedded.child import ChildSpec
from services.cli.embedded.databases import Names, database_url
from services.cli.embedded.home import SOCKET_NAME, Home, free_port
from services.cli.embedded.keys import SERVICES
from services.cli.embedded.processes import group_members
from services.cli.supervisor import Platform

WORKERS = 2
READY_WITHIN_S = 60.0
# Everybody comes from one address here, many times a second: limits would turn attempts away before they could do harm.
# Ballots that hang are answered soon, so that a run is short.
TUNED = {
    "VOTING_VOTER_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_DEVICE_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_ADDRESS_ATTEMPTS_PER_MINUTE": "10000000",
    "VOTING_CODE_RESEND_S": "1",
    "VOTING_CHALLENGE_COST": "1",
    "VOTING_CHALLENGE_TRIES_MAX": "4",
}


class ProxiedPlatform(Platform):
    """A platform whose services are given the proxies' addresses instead of the servers'."""

    def __init__(self, home: Path, lines: Path) -> None:
        super().__init__(home, proxy=False, workers=WORKERS, database_url="", redis_url="")
        self._lines = lines

    def _environment(self) -> dict[str, str]:
        environment = super()._environment()
        for service in SERVICES:
            for name, change in (("DATABASE_URL", self._database), ("REDIS_URL", self._valkey)):
                key = f"{service.upper()}_{name}"
                environment[key] = change(environment[key])
            owner = f"{service.upper()}_OWNER_DATABASE_URL"
            environment[owner] = self._database(environment[owner])
        return environment | TUNED

    def _database(self, url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(query=f"host={quote(str(self._lines), safe='')}"))

    def _valkey(self, url: str) -> str:
        account = urlsplit(url).netloc.rpartition("@")[0]
        return f"unix://{account}@{self._lines / 'valkey.sock'}?db=0"

    def alter(self, name: str, change: Any) -> ChildSpec:
        """Replace what a process is run as (`change` of its ChildSpec) from its next start on; returns what it was."""
        child = self._children[name]
        before, child.spec = child.spec, change(child.spec)
        return before


class Stage:
    """An async context manager. `folder` holds the runs' recordings; `home` the platform.

    `patience` stretches every wait, for a machine that does much else at the same time; 1 is what is promised.
    """

    def __init__(self, folder: Path, home: Path, patience: float = 1.0) -> None:
        self.folder, self._home, self.patience = folder, Home.at(home), patience
        self._lines = self._home.folder / "lines"
        self._stack = AsyncExitStack()
        self.platform = ProxiedPlatform(self._home.folder, self._lines)
        self.postgres = Proxy(self._to_postgres, PostgresReader)
        self.valkey = Proxy(self._to_valkey, lambda: read_valkey)
        self.clients = Proxy(self._to_voting)
        self.port = free_port(None, set())
        # Set when the platform did not mend by itself: nothing more can be played here.
        self.is_broken = False
        # Set when runs left what the audit excuses: it would stand against every later run.
        self.is_spoiled = False
        self.http: httpx.AsyncClient
        # Every call on a connection of its own, so that any worker may answer.
        self.afresh: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._lines.mkdir(mode=0o700, parents=True, exist_ok=True)
            for proxy in (self.postgres, self.valkey, self.clients):
                stack.push_async_callback(proxy.close)
            await self.postgres.listen_at(self._lines / SOCKET_NAME)
            await self.valkey.listen_at(self._lines / "valkey.sock")
            await self.clients.listen_on(self.port)
            await stack.enter_async_context(self.platform)
            await self.platform.ready(READY_WITHIN_S * self.patience)
            self.http = await stack.enter_async_context(httpx.AsyncClient(timeout=15, trust_env=False))
            limits = httpx.Limits(max_keepalive_connections=0)
            self.afresh = await stack.enter_async_context(httpx.AsyncClient(timeout=5, trust_env=False, limits=limits))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _to_postgres(self) -> tuple[Reader, Writer]:
        return await asyncio.open_unix_connection(self._home.socket_folder() / SOCKET_NAME)

    async def _to_valkey(self) -> tuple[Reader, Writer]:
        return await asyncio.open_connection("127.0.0.1", urlsplit(self.platform.operator_redis_url).port)

    async def _to_voting(self) -> tuple[Reader, Writer]:
        return await asyncio.open_connection("127.0.0.1", urlsplit(self.platform.urls["voting"]).port)

    @property
    def home(self) -> Home:
        return self._home

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """The administrator's connection to a service's database, around every proxy."""
        url = database_url(self.platform.admin_database_url, Names().database(service))
        connection = await asyncpg.connect(url, timeout=10, command_timeout=300)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Redis]:
        """Valkey as its operator sees it, around every proxy."""
        async with Redis.from_url(self.platform.operator_redis_url, socket_timeout=10) as client:
            yield client

    async def operate(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call as the platform's own account, straight to the service."""
        client = Client(self.platform.environment)
        headers = {"authorization": f"Bearer {client.token('platform')}"}
        return await self.http.request(method, client.url(path), json=body, headers=headers)

    async def ask(self, path: str) -> httpx.Response:
        return await self.http.get(Client(self.platform.environment).url(path))

    def workers(self) -> list[int]:
        """The processes that take ballots."""
        parent = self.platform.processes["voting"].pid
        return [record.pid for record in group_members(parent) if record.pid != parent] if parent else []

    async def leader(self) -> int:
        """The worker that runs voting's background steps; raises TimeoutError where none is elected."""
        async with asyncio.timeout(15):
            while True:
                for line in self.postgres.callers():
                    if line.caller_pid in self.workers() and any("pg_try_advisory_lock" in said for said in line.said):
                        return line.caller_pid
                await asyncio.sleep(0.1)

    def members(self, name: str) -> list[int]:
        """All processes of a server or service, its children included."""
        pid = self.platform.processes[name].pid
        return [record.pid for record in group_members(pid)] if pid else []

    def signal_all(self, name: str, number: signal.Signals) -> None:
        for pid in self.members(name):
            os.kill(pid, number)

    async def restart(self, name: str, change: Any = None) -> ChildSpec:
        """Stop a process and start it again, as something else where `change` is given; returns what it was before."""
        await self.platform.stop_process(name)
        before = self.platform.alter(name, change or (lambda spec: spec))
        await self.platform.start_process(name, READY_WITHIN_S * self.patience)
        return before

    def with_environment(self, variables: Mapping[str, str]) -> Any:
        """A change for `restart`: further variables."""
        return lambda spec: replace(spec, environment={**spec.environment, **variables})

    async def settled(self) -> None:
        """Every process is back and can work; between two runs, never part of one."""
        within_s = READY_WITHIN_S * self.patience
        deadline = time.monotonic() + within_s
        await self.platform.ready(within_s)
        while len(self.workers()) < WORKERS and time.monotonic() < deadline:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.05)

    def clear(self) -> None:
        """Forget the platform's data."""
        shutil.rmtree(self._home.folder, ignore_errors=True)

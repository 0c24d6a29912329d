"""The stage of the comparison: one home with the real platform, of which only one contender's servers work at a time.

Invariant: leaving the context leaves no process and no data. PostgreSQL and Valkey are the platform's own binaries
with the platform's own durability, for ours and for the peers alike.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx

from loadtests.bench.voters import RoundFacts, Voters
from services.cli.client import Client
from services.cli.embedded.child import Child, ChildSpec
from services.cli.embedded.databases import database_url
from services.cli.embedded.home import PROJECT_FOLDER, Home
from services.cli.embedded.service import service_child
from services.cli.people import REGISTRY, VOTING
from services.cli.rounds import read_folder
from services.cli.supervisor import Platform
from services.shared.redis_client import open_redis
from services.shared.settings import read_secret
from services.voting.identity import RoundKeys
from services.voting.shards import shard_of, shard_tag
from services.voting.turnstile import verified_key

ROUND = PROJECT_FOLDER / "deploy" / "rounds" / "kunming-2021"
OPEN_FOR_S = 12 * 3600
PLATFORM_SERVICES = ("voting", "registry", "scoring")
READY_WITHIN_S = 60.0
VERIFIED_LIFETIME_S = 24 * 3600
_KEYS_AT_ONCE = 2000


class Stage:
    """A fresh home, the platform in it, a round open for voting, voters to mint. An async context manager."""

    def __init__(self) -> None:
        place = PROJECT_FOLDER / ".pingxuan"
        place.mkdir(mode=0o700, exist_ok=True)
        # Beside the project, not in a temporary folder: that may be memory, where a commit costs nothing.
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place))
        self.home = Home.at(self.folder / "home")
        self.platform = Platform(self.home, proxy=False, workers=1, database_url="", redis_url="")
        # Of the voting service that is measured: where voters' addresses are counted.
        self.shards = 1
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.platform)
            await self.platform.ready(READY_WITHIN_S)
            self.facts = await self._load_round()
            self.voters = Voters(self.facts, self._master())
            await self.services_down()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.platform.environment

    def pid(self, name: str) -> int:
        """Of one of the platform's processes; raises ProcessLookupError while it is down."""
        pid = self.platform.processes[name].pid
        if pid is None:
            raise ProcessLookupError(f"{name} does not run")
        return pid

    def _master(self) -> bytes:
        return read_secret(self.environment["VOTING_MASTER_SECRET_FILE"], "VOTING_MASTER_SECRET_FILE")

    async def _load_round(self) -> RoundFacts:
        """The shipped round of a city, loaded and opened through the registry's interface."""
        token = Client(self.environment).token("platform")
        url = self.platform.urls
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            body = {"files": read_folder(ROUND), "open_for_s": OPEN_FOR_S}
            headers = {"authorization": f"Bearer {token}"}
            loaded = await http.post(f"{url['registry']}{REGISTRY}/rounds", json=body, headers=headers)
            round_id = str(loaded.raise_for_status().json()["round"])
            public = await _wait_until_open(http, f"{url['voting']}{VOTING}/rounds/{round_id}")
        number = await self.query("VOTING_DATABASE_URL", "SELECT number FROM rounds WHERE round = $1", round_id)
        # The identity key is made by the first sign-in; ours come without one.
        key = RoundKeys(self.environment["VOTING_ROUND_KEYS_DIR"], self._master()).create(round_id)
        return RoundFacts(round_id, number, f"{{{round_id}:0}}", key, public)

    async def query(self, url_name: str, sql: str, *arguments: Any) -> int:
        """One number from one of the platform's databases."""
        connection = await asyncpg.connect(self.environment[url_name], timeout=10, command_timeout=120)
        try:
            return int(await connection.fetchval(sql, *arguments))
        finally:
            await connection.close()

    async def settle(self) -> None:
        """What earlier turns left to write is written now, not in the next contender's time."""
        connection = await asyncpg.connect(self.platform.admin_database_url, timeout=10, command_timeout=300)
        try:
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def note_verified(self, counts: Mapping[bytes, int]) -> None:
        """Write what sign-ins of today leave behind: how many were verified at each address, by its keyed hash."""
        now_us, keys = int(time.time() * 1_000_000), set[str]()
        client = open_redis(self.platform.operator_redis_url, timeout_s=10, connections_max=1, name="bench")
        async with client, client.pipeline(transaction=False) as pipe:
            for address, count in counts.items():
                key = verified_key(shard_tag(self.facts.tag, shard_of(address, self.shards), self.shards), now_us)
                pipe.hincrby(key, address, count)
                keys.add(key)
            for key in keys:
                pipe.expire(key, VERIFIED_LIFETIME_S)
            await pipe.execute()

    async def forget_limits(self) -> None:
        """Remove the round's keys from Valkey: voters of earlier turns never come again, and its memory is bounded."""
        client: Any = open_redis(self.platform.operator_redis_url, timeout_s=10, connections_max=2, name="bench")
        async with client:
            waiting: list[bytes] = []
            async for key in client.scan_iter(match=f"{{{self.facts.id}:*", count=_KEYS_AT_ONCE):
                waiting.append(key)
                if len(waiting) >= _KEYS_AT_ONCE:
                    await client.unlink(*waiting)
                    waiting.clear()
            if waiting:
                await client.unlink(*waiting)

    async def ensure_database(self, name: str, schema: str = "") -> str:
        """A database of a peer's on the same server, made anew; returns its URL."""
        connection = await asyncpg.connect(self.platform.admin_database_url, timeout=10)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        url = database_url(self.platform.admin_database_url, name)
        if schema:
            connection = await asyncpg.connect(url, timeout=10)
            try:
                await connection.execute(schema)
            finally:
                await connection.close()
        return url

    async def services_up(self) -> None:
        """The three services, each ready."""
        await _gather(self.platform.start_process(name) for name in PLATFORM_SERVICES)

    async def services_down(self) -> None:
        await _gather(self.platform.stop_process(name) for name in PLATFORM_SERVICES)

    @asynccontextmanager
    async def running(self, spec: ChildSpec) -> AsyncIterator[int]:
        """A process of one turn; yields its id once it is ready."""
        child = Child(spec, _unnoticed)
        try:
            await child.start()
            await child.ready(READY_WITHIN_S)
            assert child.pid is not None
            yield child.pid
        finally:
            await child.stop()

    def voting_variant(self, changes: Mapping[str, str], module: str = "services.voting") -> ChildSpec:
        """The voting service with other settings, at the same port; the platform's own must be down."""
        return service_child(self.home, "voting", {**self.environment, **changes}, module)

    def port(self, service: str) -> int:
        return int(self.environment[f"{service.upper()}_PORT"])

    def write_round_file(self) -> Path:
        """What peers know of the round and of tokens: a file of their own, readable by nobody else."""
        path = self.folder / "round.json"
        content = {"token_key": self.voters.token_key.hex(), "number": self.facts.number, **self.facts.public}
        path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        return path


def _unnoticed() -> None:
    """Whoever watches a platform's processes does not look at a turn's."""


async def _gather(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*work)


async def _wait_until_open(http: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The public facts of the round once voting knows it and takes ballots."""
    for _ in range(int(READY_WITHIN_S / 0.25)):
        answer = await http.get(f"{url}/results")
        if answer.status_code == 200 and answer.json()["state"] == "open":
            facts: Mapping[str, Any] = (await http.get(url)).raise_for_status().json()
            return facts
        await asyncio.sleep(0.25)
    raise TimeoutError("voting did not open the round in time")

"""The registry as a process: clear words where it cannot start, and patience with servers that go away."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import asyncpg

from services.cli.supervisor import PlatformServers
from tests.integration.registry.conftest import PREFIX, Registry
from tests.support.databases import Databases
from tests.support.waiting import wait_until


async def run_once(environment: dict[str, str]) -> tuple[int, str]:
    """(exit code, standard error) of a start that must fail."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.registry",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode()


def own_environment(servers: PlatformServers, **changes: str) -> dict[str, str]:
    known = {"PATH": os.environ["PATH"], **servers.environment, "PUBLIC_ORIGIN": "http://127.0.0.1:1"}
    return {**known, "REGISTRY_PORT": "1", "REGISTRY_METRICS_PORT": "1", **changes}


async def checkpoint(admin_database_url: str) -> None:
    connection = await asyncpg.connect(admin_database_url, command_timeout=120)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def test_a_missing_setting_is_one_sentence_and_exit_2(servers: PlatformServers) -> None:
    code, said = await run_once(own_environment(servers, STAFF_SIGNING_KEY_FILE=""))
    assert code == 2
    assert "STAFF_SIGNING_KEY_FILE" in said
    assert len(said.strip().splitlines()) == 1


async def test_a_database_without_the_schema_is_one_sentence_and_exit_2(
    servers: PlatformServers, databases: Databases
) -> None:
    voting = await databases.clone("voting")
    url = servers.environment["REGISTRY_DATABASE_URL"]
    empty = url.replace("/pingxuan_registry", "/postgres")
    code, said = await run_once(own_environment(servers, REGISTRY_DATABASE_URL=empty, REGISTRY_OWNER_DATABASE_URL=""))
    assert (code, len(said.strip().splitlines())) == (2, 1)
    assert "Traceback" not in said
    assert voting.app_url not in said


async def test_requests_are_answered_503_while_postgresql_is_away_and_again_afterwards(
    registry: Registry, servers: PlatformServers
) -> None:
    # Hundreds of databases were made since the last checkpoint: the server would read all of that again.
    await checkpoint(servers.admin_database_url)
    await servers.stop_process("postgres")
    try:
        away = await registry.call("GET", "/rounds", "")
        assert (away.status_code, away.json()["reason"]) == (503, "unavailable")
        assert away.headers["content-type"] == "application/problem+json"
        assert (await registry.http.get(f"{PREFIX}/readyz")).status_code == 503
        assert (await registry.http.get(f"{PREFIX}/healthz")).status_code == 200
    finally:
        await servers.start_process("postgres")

    async def back() -> bool:
        return (await registry.http.get(f"{PREFIX}/readyz")).status_code == 200

    await wait_until(back, 20, "the registry is ready again")
    await registry.add_staff("later", "expert")
    await registry.sent("registry.staff", 2)


async def test_everything_goes_on_without_valkey_and_is_delivered_later(
    registry: Registry, servers: PlatformServers
) -> None:
    await servers.stop_process("valkey")
    try:
        made = await registry.add_staff("wang", "expert")
        assert (await registry.sign_in("wang", made["password"])).status_code == 201
        ready: dict[str, Any] = (await registry.http.get(f"{PREFIX}/readyz")).json()
        assert (ready["status"], ready["checks"]["valkey"]) == ("ok", "away")
    finally:
        await servers.start_process("valkey")
    await registry.redis.connection_pool.disconnect()
    await registry.sent("registry.staff", 2)

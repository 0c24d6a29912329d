"""Valkey's disk fails once: it refuses every write for ever, unless somebody tells it to go on."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from loadtests.chaos.disk_faults import has_strace, processes_of, tampered
from services.cli.supervisor import PlatformServers
from tests.support.waiting import wait_until

KEY = "voting.disk"


@pytest.mark.skipif(not has_strace(), reason="strace is not installed: apt-get install strace")
async def test_after_a_failed_fsync_valkey_takes_writes_again(servers: PlatformServers) -> None:
    async with Redis.from_url(servers.operator_redis_url) as operator:

        async def may_write() -> bool:
            try:
                return bool(await operator.set(KEY, "1", ex=60))
            except RedisError:
                return False

        async def is_refused() -> bool:
            return not await may_write()

        async with tampered(processes_of(servers.home, "valkey"), "fsync,fdatasync", "error=EIO"):
            await wait_until(is_refused, 20, "Valkey refuses writes", 0.05)
        await wait_until(may_write, 30, "Valkey takes writes again", 0.1)

        async def is_kept() -> bool:
            return bool((await operator.config_get("appendonly"))["appendonly"] == "yes")

        await wait_until(is_kept, 30, "Valkey keeps its file again")

"""healthz: the process is up. readyz: it can do its work, with the checks that say so. The same in each service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from litestar import Request, Response, Router, get
from redis.asyncio import Redis

from services.shared.clock import Clock
from services.shared.errors import MigrationError
from services.shared.loops import ElectedLoops
from services.shared.postgres import Pool, check_schema
from services.shared.redis_client import REDIS_FAILURES

_DATABASE_S = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the checks look at; a service leaves it in `app.state.health`."""

    pool: Pool
    redis: Redis
    clock: Clock
    loops: ElectedLoops
    migrations: Path

    async def checks(self) -> dict[str, str]:
        """A word for each part: `ok`, or what is wrong. Valkey away only makes things slower."""
        return {
            "database": await self._database(),
            "clock": "ok" if self.clock.trustworthy else "off",
            "loops": "ok" if self.loops.alive else "ended",
            "valkey": await self._valkey(),
        }

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(_DATABASE_S), self.pool.acquire() as connection:
                await check_schema(connection, self.migrations)
        except MigrationError:
            return "schema"
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return "away"
        return "ok"

    async def _valkey(self) -> str:
        try:
            await self.redis.time()
        except REDIS_FAILURES:
            return "away"
        return "ok"


@get("/healthz", summary="The process is up", sync_to_thread=False)
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@get("/readyz", summary="The service can do its work")
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """503 unless database, schema, clock and background loops are well; Valkey away is told and not fatal."""
    health: Health | None = request.app.state.get("health")
    checks = {"started": "no"} if health is None else await health.checks()
    ready = all(word == "ok" for name, word in checks.items() if name != "valkey")
    return Response({"status": "ok" if ready else "unready", "checks": checks}, status_code=200 if ready else 503)


def health_router(prefix: str) -> Router:
    return Router(prefix, route_handlers=[healthz, readyz])

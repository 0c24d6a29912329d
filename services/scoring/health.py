"""healthz: the process is up. readyz: it can do its work, with the checks that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import asyncpg
from litestar import Request, Response, get

from services.shared.errors import MigrationError
from services.shared.loops import ElectedLoops
from services.shared.postgres import Pool, check_schema
from services.shared.redis_client import REDIS_FAILURES

MIGRATIONS = Path(__file__).parent / "migrations"


@get("/healthz", summary="The process is up")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@get("/readyz", summary="The service can do its work")
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """503 unless database, schema and background loops are well; Valkey away is told and not fatal."""
    state = request.app.state
    checks = {
        "database": await _database(state.desk.pool),
        "loops": "ok" if cast(ElectedLoops, state.loops).alive else "stopped",
        "clock": "ok" if state.desk.clock.trustworthy else "off",
    }
    ready = all(word == "ok" for word in checks.values())
    checks["valkey"] = await _valkey(state.redis)
    return Response({"status": "ok" if ready else "unready", "checks": checks}, status_code=200 if ready else 503)


async def _database(pool: Pool) -> str:
    try:
        async with pool.acquire(timeout=2) as connection:
            await check_schema(connection, MIGRATIONS)
    except MigrationError:
        return "schema"
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "away"
    return "ok"


async def _valkey(redis: Any) -> str:
    try:
        await redis.ping()
    except REDIS_FAILURES:
        return "away"
    return "ok"

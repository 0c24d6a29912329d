"""Whether the process is up, and whether it can do its work."""

from typing import Any

import asyncpg
from litestar import Response, get

from services.registry.parts import PREFIX, Parts, parts
from services.registry.schema import MIGRATIONS
from services.shared.errors import MigrationError
from services.shared.pages import AnyRequest
from services.shared.postgres import check_schema
from services.shared.redis_client import REDIS_FAILURES


@get(f"{PREFIX}/healthz", sync_to_thread=False)
def healthz() -> dict[str, str]:
    """The process is up."""
    return {"status": "ok"}


@get(f"{PREFIX}/readyz")
async def readyz(request: AnyRequest) -> Response[dict[str, Any]]:
    """200 when requests can be served; Valkey away only delays what goes to the other services."""
    own = parts(request)
    checks = {
        "database": await _database(own),
        "valkey": await _valkey(own),
        "clock": "ok" if own.clock.trustworthy else "more than a second off PostgreSQL's",
        "loops": "ok" if own.loops.alive else "ended",
    }
    ready = all(checks[name] == "ok" for name in ("database", "clock", "loops"))
    return Response({"status": "ok" if ready else "unready", "checks": checks}, status_code=200 if ready else 503)


async def _database(own: Parts) -> str:
    try:
        async with own.pool.acquire(timeout=3) as connection:
            await check_schema(connection, MIGRATIONS)
    except MigrationError as error:
        return str(error)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return "away"
    return "ok"


async def _valkey(own: Parts) -> str:
    try:
        await own.redis.time()
    except REDIS_FAILURES:
        return "away"
    return "ok"


ROUTES = [healthz, readyz]

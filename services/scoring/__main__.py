"""`python -m services.scoring`: bring the schema up to date where the owner's URL is given, then serve."""

from __future__ import annotations

import asyncio
import sys
import time

import asyncpg

from services.scoring.app import build_app
from services.scoring.health import MIGRATIONS
from services.scoring.settings import ScoringSettings
from services.shared.errors import PingxuanError
from services.shared.postgres import check_schema, connect, migrate
from services.shared.serve import run
from services.shared.settings import load

_DATABASE_WAIT_S = 30.0
_AWAY = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)


async def prepare(settings: ScoringSettings) -> None:
    """Migrate or check the schema, waiting a while for a database that is still starting."""
    deadline = time.monotonic() + _DATABASE_WAIT_S
    while True:
        try:
            await _prepare_once(settings)
        except _AWAY as error:
            if time.monotonic() > deadline:
                raise PingxuanError(
                    f"PostgreSQL does not answer ({type(error).__name__}); start it or correct SCORING_DATABASE_URL"
                ) from None
            await asyncio.sleep(0.5)
        else:
            return


async def _prepare_once(settings: ScoringSettings) -> None:
    if settings.owner_database_url:
        await migrate(settings.owner_database_url, settings.database_url, MIGRATIONS)
        return
    connection = await connect(settings.database_url, statement_timeout_s=10, name="scoring-start")
    try:
        await check_schema(connection, MIGRATIONS)
    finally:
        await connection.close()


def main() -> int:
    try:
        settings = load(ScoringSettings, "scoring")
        asyncio.run(prepare(settings))
        return run("scoring", settings, lambda: build_app(settings))
    except PingxuanError as error:
        print(f"scoring: {error}", file=sys.stderr)  # noqa: T201 - the one sentence a person needs
        return 2
    except asyncpg.PostgresError as error:
        # The first line only: what follows it can quote a row.
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"scoring: the database cannot be prepared ({told}); see deploy/README.md", file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main())

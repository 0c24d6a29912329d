"""The registry's schema: migrated at start where the owner's URL is given, else checked. Called by `__main__.py`."""

from pathlib import Path

import asyncpg

from services.registry.settings import RegistrySettings
from services.shared.errors import ConfigurationError
from services.shared.postgres import check_schema, connect, migrate

MIGRATIONS = Path(__file__).parent / "migrations"


async def prepare(settings: RegistrySettings) -> None:
    """Bring the schema to this software's version; raises MigrationError or ConfigurationError, one sentence each."""
    try:
        if settings.owner_database_url:
            await migrate(settings.owner_database_url, settings.database_url, MIGRATIONS)
            return
        connection = await connect(settings.database_url, statement_timeout_s=10, name="registry-schema")
        try:
            await check_schema(connection, MIGRATIONS)
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = type(error).__name__
        raise ConfigurationError(
            f"PostgreSQL cannot be used ({why}): check REGISTRY_DATABASE_URL and that it runs"
        ) from error

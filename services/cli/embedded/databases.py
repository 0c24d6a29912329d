"""Roles and databases of the three services, on the embedded server or on any other.

Invariant: a service's owner role owns its database, its application role owns nothing, and neither can connect to
another service's database. Called at every start, and by tests with names of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from services.cli.embedded.keys import SERVICES

# Any number would do; it keeps two starts against one server from creating the same role at once.
BOOTSTRAP_LOCK = 0x70696E67
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Names:
    """Prefixes of what is created: `pingxuan_voting`, owned by `voting_owner`, used by `voting_app`."""

    database_prefix: str = "pingxuan_"
    role_prefix: str = ""

    def database(self, service: str) -> str:
        return f"{self.database_prefix}{service}"

    def owner(self, service: str) -> str:
        return f"{self.role_prefix}{service}_owner"

    def app(self, service: str) -> str:
        return f"{self.role_prefix}{service}_app"


async def bootstrap_databases(admin_url: str, passwords: Mapping[str, str], names: Names | None = None) -> None:
    """Create or bring up to date every service's roles and database; harmless to repeat.

    `admin_url` belongs to a role that may create roles and databases; `passwords` maps `<service>_owner` and
    `<service>_app` (without a role prefix) to passwords. Raises asyncpg's errors and OSError as they come.
    """
    names = names or Names()
    connection = await asyncpg.connect(admin_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", BOOTSTRAP_LOCK)
        for service in SERVICES:
            await _ensure_role(connection, names.owner(service), passwords[f"{service}_owner"])
            await _ensure_role(connection, names.app(service), passwords[f"{service}_app"])
            await _ensure_database(connection, names, service)
    finally:
        await connection.close()
    for service in SERVICES:
        await grant_schema(database_url(admin_url, names.database(service)), names, service)


async def _ensure_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # DDL takes no parameters: the server itself quotes, so that no text of ours can become SQL.
    statement = await connection.fetchval(
        "SELECT format($1 || ' ROLE %I LOGIN NOCREATEDB NOCREATEROLE PASSWORD %L', $2::text, $3::text)",
        verb, role, password,
    )  # fmt: skip
    await connection.execute(statement)


async def _ensure_database(connection: "asyncpg.Connection[asyncpg.Record]", names: Names, service: str) -> None:
    database, owner = quoted(names.database(service)), quoted(names.owner(service))
    exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", names.database(service))
    if not exists:
        # An administrator who is no superuser (as on managed servers) must belong to the role it creates for.
        if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            await connection.execute(f"GRANT {owner} TO CURRENT_USER")
        await connection.execute(f"CREATE DATABASE {database} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0")
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {quoted(names.app(service))}")


async def grant_schema(admin_url: str, names: Names, service: str) -> None:
    """Inside one service's database: the application may look into schema public, which belongs to the owner."""
    connection = await asyncpg.connect(admin_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await connection.execute(f"GRANT USAGE ON SCHEMA public TO {quoted(names.app(service))}")
    finally:
        await connection.close()


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def database_url(admin_url: str, database: str, role: str = "", password: str = "") -> str:
    """The same server under another database and, if given, another role; options of the URL are kept."""
    parts = urlsplit(admin_url)
    account, at, place = parts.netloc.rpartition("@")
    if role:
        account, at = f"{quote(role, safe='')}:{quote(password, safe='')}", "@"
    return urlunsplit((parts.scheme, f"{account}{at}{place}", f"/{quote(database, safe='')}", parts.query, ""))


def service_urls(server: str, service: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """`<SERVICE>_DATABASE_URL` and `<SERVICE>_OWNER_DATABASE_URL`: its database as each of its roles."""
    names, prefix = Names(), service.upper()
    roles = {
        f"{prefix}_DATABASE_URL": (names.app(service), passwords[f"{service}_app"]),
        f"{prefix}_OWNER_DATABASE_URL": (names.owner(service), passwords[f"{service}_owner"]),
    }
    return {name: database_url(server, names.database(service), *account) for name, account in roles.items()}

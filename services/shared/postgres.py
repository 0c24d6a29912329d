"""PostgreSQL: pools, forward-only migrations from numbered SQL files, and election by advisory lock.

Every statement has a timeout. Migrations run with the owner's role under one advisory lock; the services
themselves connect with a role that owns nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import asyncpg

from services.shared.errors import ConfigurationError, MigrationError

if TYPE_CHECKING:  # asyncpg's classes are generic only in its stubs
    Dedicated = asyncpg.Connection[asyncpg.Record]
    Connection = Dedicated | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Dedicated = Connection = asyncpg.Connection
    Pool = asyncpg.Pool

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_MIGRATION_LOCK = 0x70780001
_START_WAIT_S = 30.0
_RELEASE_S = 1.0
# Shorter than anybody waits: a server that is there takes a session within milliseconds.
_CONNECT_S = 3.0
_POOLED_IDLE_S = 300
# A leader asks once a second.
_SILENT_MAX_MS = 5000
# How the server finds out that a worker's machine is gone: otherwise its sessions stand for hours and use up the room.
_SESSION = {"timezone": "UTC", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
# The last one: of several servers none takes writes, as before a standby is promoted.
_AWAY = (
    OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
    asyncpg.TargetServerAttributeNotMatched,
)  # fmt: skip


async def _prepare(connection: Dedicated) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


class _BoundedPool(Pool):
    """A pool that does not wait for a server that went away without a word.

    A statement that ran into its timeout leaves a connection that will never be quiet again; asyncpg would wait for it
    for as long as the network likes. Here it is dropped, and with it every other one, since they lead the same way.
    """

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        # The pool's own connection behind the caller's handle, which is void once it was given back.
        behind: Dedicated | None = connection._con
        try:
            await super().release(connection, timeout=min(timeout or _RELEASE_S, _RELEASE_S))
        except TimeoutError:
            await self.expire_connections()
        else:
            if behind is not None and behind.is_closed():
                await self.expire_connections()


async def open_pool(url: str, *, size_max: int, statement_timeout_s: float, name: str) -> Pool:
    """Pool of at most `size_max` connections, opened lazily; jsonb travels as Python values."""
    return await _BoundedPool(
        url,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        init_size=1,
        min_size=1,
        max_size=size_max,
        max_queries=50_000,
        max_inactive_connection_lifetime=_POOLED_IDLE_S,
        connect=None,
        setup=None,
        reset=None,
        loop=None,
        command_timeout=statement_timeout_s,
        timeout=_CONNECT_S,
        init=_prepare,
        # The pool itself ends what is idle; the server only what the pool has lost.
        server_settings={"application_name": name, "idle_session_timeout": f"{_POOLED_IDLE_S * 1200}", **_SESSION},
    )


async def connect(
    url: str, *, statement_timeout_s: float, name: str, more: Mapping[str, str] | None = None
) -> Dedicated:
    """One dedicated connection, for writers and elected loops; `more` are further settings of the session."""
    connection = await asyncpg.connect(
        url,
        command_timeout=statement_timeout_s,
        timeout=_CONNECT_S,
        server_settings={"application_name": name, **_SESSION, **(more or {})},
    )
    await _prepare(connection)
    return connection


def role_of(url: str) -> str:
    """User name in a connection URL."""
    return unquote(urlsplit(url).username or "")


def _files(folder: Path) -> list[tuple[int, Path]]:
    found = sorted((int(match[1]), path) for path in folder.glob("*.sql") if (match := _NAME.match(path.name)))
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{folder.name}: migrations must be numbered 0001, 0002, … without a gap")
    return found


async def migrate(owner_url: str, app_url: str, folder: Path) -> int:
    """Bring the schema to this software's version; returns how many files were run.

    `${app_role}` in a file is the service's role. A file that was run and later changed is a MigrationError.
    """
    connection = await asyncpg.connect(owner_url, command_timeout=600, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        return await _run_missing(connection, role_of(app_url), _files(folder))
    finally:
        await connection.close()


async def _run_missing(connection: Connection, app_role: str, files: list[tuple[int, Path]]) -> int:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        " number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " run_at timestamptz NOT NULL DEFAULT now())"
    )
    await connection.execute(f'GRANT SELECT ON schema_migrations TO "{app_role}"')
    done = {
        row["number"]: row for row in await connection.fetch("SELECT number, name, checksum FROM schema_migrations")
    }
    ran = 0
    for number, path in files:
        text = path.read_text(encoding="utf-8")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        if number in done:
            if done[number]["checksum"] != checksum:
                raise MigrationError(f"{path.name} was changed after it had been run; write a new migration instead")
            continue
        async with connection.transaction():
            await connection.execute(text.replace("${app_role}", app_role))
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                number, path.name, checksum,
            )  # fmt: skip
        ran += 1
    return ran


async def check_schema(connection: Connection, folder: Path) -> None:
    """Raise MigrationError when the database lacks migrations this software needs (newer ones are fine)."""
    try:
        newest = await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_migrations")
    except asyncpg.UndefinedTableError:
        newest = 0
    wanted = _files(folder)[-1][0]
    if newest < wanted:
        raise MigrationError(
            f"the database is at migration {newest}, this software needs {wanted}: "
            "start it once with the owner's URL (…_OWNER_DATABASE_URL) or run `pingxuan up`"
        )


async def prepare_schema(service: str, owner_url: str, app_url: str, folder: Path) -> None:
    """Migrate where the owner's URL is given, else check; waits a while for a database that is still starting.

    Raises MigrationError or ConfigurationError, one sentence each.
    """
    deadline = time.monotonic() + _START_WAIT_S
    while True:
        try:
            await _prepare_once(service, owner_url, app_url, folder)
        except _AWAY as error:
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"PostgreSQL does not answer ({type(error).__name__}):"
                    f" start it, or mend {service.upper()}_DATABASE_URL"
                ) from None
            await asyncio.sleep(0.5)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The first line only: what follows it can quote a row.
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConfigurationError(f"the database cannot be prepared ({told}); see deploy/README.md") from None
        else:
            return


async def _prepare_once(service: str, owner_url: str, app_url: str, folder: Path) -> None:
    if owner_url:
        await migrate(owner_url, app_url, folder)
        return
    connection = await connect(app_url, statement_timeout_s=10, name=f"{service}-schema")
    try:
        await check_schema(connection, folder)
    finally:
        await connection.close()


@asynccontextmanager
async def transaction(pool: Pool, *, idle_max_s: float = 0) -> AsyncIterator[Connection]:
    """A pooled connection inside a transaction.

    With `idle_max_s` the server itself ends it when nothing comes for so long: what holds a lock that everybody waits
    for must not be held by somebody who is gone.
    """
    async with pool.acquire() as connection, connection.transaction():
        if idle_max_s:
            await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {round(idle_max_s * 1000)}")
        yield connection


class Election:
    """Leadership of one background job: a dedicated connection that holds an advisory lock.

    Losing the connection loses the lock, so that two processes never lead at once for longer than the server
    takes to notice; whatever a leader does must therefore be idempotent. A leader from whom the server hears nothing
    for a few seconds has lost it, too: its machine may be gone without a word.
    """

    def __init__(self, url: str, lock: int, name: str) -> None:
        self._url, self._lock, self._name = url, lock, name
        self._connection: Dedicated | None = None

    async def leads(self) -> bool:
        """True while this process holds the lock; tries to get it otherwise."""
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.fetchval("SELECT 1", timeout=5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self.resign()
            else:
                return True
        more = {"idle_session_timeout": str(_SILENT_MAX_MS)}
        connection = await connect(self._url, statement_timeout_s=5, name=self._name, more=more)
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", self._lock):
            self._connection = connection
            return True
        await connection.close()
        return False

    async def resign(self) -> None:
        """Give the lock up by closing its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with_timeout = asyncio.wait_for(connection.close(), 2)
            try:
                await with_timeout
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection.terminate()

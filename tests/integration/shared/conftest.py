"""A publisher with its outbox and a follower with its read model, each on a database of its own, joined by Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from services.shared import outbox
from services.shared.messages import REGISTRY_STAFF, Message, StaffMessage
from services.shared.outbox import Follower, Relay
from services.shared.postgres import Connection, Pool, open_pool, transaction
from tests.support.databases import Database, Databases

STREAM = REGISTRY_STAFF


def account(number: int, *, version: int = 1, **changes: object) -> StaffMessage:
    """A message that tells accounts apart by their number."""
    values: dict[str, object] = {
        "staff": f"s{number}", "username": f"user{number}", "name": f"人员{number}", "roles": ["expert"],
        "disabled": False, "not_before": datetime(2026, 1, 1, tzinfo=UTC), "version": version,
    }  # fmt: skip
    return StaffMessage(**{**values, **changes})  # type: ignore[arg-type]


@dataclass
class Channel:
    """Both ends of one stream; `applied` are the accounts in the order in which their messages took effect."""

    publisher: Database
    reader: Database
    outbox: Pool
    read_model: Pool
    redis: Redis
    relay: Relay
    follower: Follower
    databases: Databases

    @asynccontextmanager
    async def restored_publisher(self) -> AsyncIterator[Pool]:
        """The publisher's database as a restore makes it anew on the same server, without any of its messages."""
        database = await self.databases.clone("registry")
        async with await open_pool(database.app_url, size_max=2, statement_timeout_s=10, name="test") as pool:
            yield pool

    async def publish(self, *numbers: int) -> None:
        """Leave one committed message per number in the outbox."""
        for number in numbers:
            async with transaction(self.outbox) as connection:
                await outbox.append(connection, STREAM, account(number))

    async def carry(self) -> None:
        """Relay and follow until both are idle."""
        while await self.relay.relay_once() + await self.follower.follow_once():
            pass

    async def applied(self) -> list[str]:
        return [row["staff"] for row in await self.read_model.fetch("SELECT staff FROM applied ORDER BY k")]

    async def checkpoint(self) -> int:
        found = await self.read_model.fetchval("SELECT n FROM stream_checkpoints WHERE stream = $1", STREAM)
        return int(found or 0)

    async def numbers(self) -> list[int | None]:
        """Dense numbers of the outbox rows in the order in which they were written."""
        return [row["n"] for row in await self.outbox.fetch("SELECT n FROM outbox ORDER BY id")]

    async def entries(self) -> list[str]:
        found: Any = await self.redis.xrange(STREAM)
        return [identity.decode() for identity, _ in found]


async def note(connection: Connection, message: Message) -> None:
    """An effect that shows when it happens twice."""
    assert isinstance(message, StaffMessage)
    await connection.execute("INSERT INTO applied (staff) VALUES ($1)", message.staff)


async def _make_notebook(database: Database) -> None:
    connection = await asyncpg.connect(database.owner_url)
    try:
        await connection.execute("CREATE TABLE applied (k bigint GENERATED ALWAYS AS IDENTITY, staff text NOT NULL)")
        await connection.execute("GRANT SELECT, INSERT ON applied TO PUBLIC")
    finally:
        await connection.close()


@pytest.fixture
async def channel(databases: Databases, operator_redis: Redis) -> AsyncIterator[Channel]:
    publisher, reader = await databases.clone("registry"), await databases.clone("voting")
    await _make_notebook(reader)
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(
                await open_pool(database.app_url, size_max=6, statement_timeout_s=10, name="test")
            )
            for database in (publisher, reader)
        ]
        yield Channel(
            publisher, reader, pools[0], pools[1], operator_redis,
            Relay(pools[0], operator_redis, STREAM), Follower(pools[1], operator_redis, STREAM, note), databases,
        )  # fmt: skip

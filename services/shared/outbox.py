"""Streams that survive being wiped: the outbox with its relay, and the checkpointed follower.

State and outgoing message are one transaction (`append`). One elected relay numbers the rows of a stream densely in
commit order and publishes row n under the stream id `n-0`; a follower's checkpoint is n, written in the transaction of
the message's effect. Commit order is not identity order: only rows below the oldest running transaction are read.
A stream that was wiped, or that a follower found a gap in, is written anew from the outbox, whose rows are kept.
The heartbeat carries the publisher's epoch: after a restore of its database the stream is written anew before anybody
is told, and followers, who see another epoch than they know, read it again from 1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.shared.messages import Message, decode, encode
from services.shared.metrics import (
    follower_applied_total,
    follower_gaps_total,
    follower_lag_entries,
    follower_lag_seconds,
    follower_restarts_total,
    relay_last_number,
    relay_published_total,
    relay_rebuilt_total,
)
from services.shared.postgres import Connection, Pool, transaction
from services.shared.redis_client import REDIS_FAILURES

BATCH_MAX = 500
# A relay or follower that is gone without a word must not keep its successor waiting for its locks.
_SILENT_MAX_S = 5.0


# What a database that was put back never keeps: the server's identity and timeline, the database and the table itself.
# Sixty bits of a hash, so that it fits beside the checkpoint.
_EPOCH = """
    SELECT ('x' || left(encode(sha256(convert_to(concat_ws('/', s.system_identifier, left(pg_walfile_name(
        pg_current_wal_lsn()), 8), d.oid, 'outbox'::regclass::oid), 'UTF8')), 'hex'), 15))::bit(60)::bigint
    FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()
"""


def heartbeat_key(stream: str) -> str:
    return f"{stream}:heartbeat"


def replay_key(stream: str) -> str:
    return f"{stream}:replay"


async def append(connection: Connection, stream: str, message: Message) -> None:
    """Leave a message in the outbox, inside the caller's transaction."""
    await connection.execute("INSERT INTO outbox (stream, body) VALUES ($1, $2)", stream, encode(message))


class Relay:
    """Publishes one stream of one service's outbox. Run by the elected process only."""

    def __init__(self, pool: Pool, redis: Redis, stream: str) -> None:
        self._pool, self._redis, self._stream = pool, redis, stream

    async def relay_once(self) -> int:
        """Number what committed, publish what the stream lacks; returns how many messages were published."""
        newest, at = await self._number()
        relay_last_number.labels(self._stream).set(newest)
        key = heartbeat_key(self._stream)
        told: dict[Any, Any] = {"n": newest, "at": at.isoformat()}
        epoch = await self._epoch()
        before = await cast(Any, self._redis).hget(key, "epoch")
        if epoch is not None:
            told["epoch"] = epoch
        if None not in (before, epoch) and int(before) != epoch:
            # The stream still holds messages of a past that this database does not have.
            written = await self._rebuild(newest)
            await self._redis.hset(key, mapping=told)
            return written
        # First the heartbeat: a follower that is ahead of it takes the publisher for restored and starts over.
        await self._redis.hset(key, mapping=told)
        return await self._publish(newest)

    async def _epoch(self) -> int | None:
        """None where the server lets no application ask who it is: a restore is then told by the numbers alone."""
        try:
            found: int = await self._pool.fetchval(_EPOCH)
        except asyncpg.InsufficientPrivilegeError:
            return None
        return found

    async def _number(self) -> tuple[int, datetime]:
        async with transaction(self._pool, idle_max_s=_SILENT_MAX_S) as connection:
            # The lock makes numbering safe even while two processes believe they lead.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('outbox:' || $1))", self._stream)
            row = await connection.fetchrow(
                """
                WITH last AS (SELECT coalesce(max(n), 0) AS n FROM outbox WHERE stream = $1),
                fresh AS (
                    SELECT id, row_number() OVER (ORDER BY xid, id) AS k FROM outbox
                    WHERE stream = $1 AND n IS NULL AND xid < pg_snapshot_xmin(pg_current_snapshot())
                    ORDER BY xid, id LIMIT $2),
                numbered AS (
                    UPDATE outbox SET n = last.n + fresh.k FROM fresh, last
                    WHERE outbox.id = fresh.id RETURNING outbox.n)
                SELECT greatest((SELECT n FROM last), (SELECT max(n) FROM numbered)) AS n, clock_timestamp() AS at
                """,
                self._stream,
                BATCH_MAX,
            )
        assert row is not None
        return row["n"], row["at"]

    async def _publish(self, newest: int) -> int:
        last, whole = await self._state_of_stream()
        if not whole or last > newest:
            return await self._rebuild(newest)
        published = 0
        async for n, body in self._rows(last, newest):
            try:
                await self._redis.xadd(self._stream, {"body": body}, id=f"{n}-0")
            except ResponseError as error:
                if "equal or smaller" not in str(error):
                    raise
            published += 1
        relay_published_total.labels(self._stream).inc(published)
        return published

    async def _state_of_stream(self) -> tuple[int, bool]:
        """(number of the last entry, is the stream dense from 1 and not asked to be replayed)."""
        # In a cluster the two keys may lie in different slots, and one call takes keys of one slot.
        asked = await self._redis.exists(replay_key(self._stream))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xlen(self._stream)
            pipe.xrevrange(self._stream, count=1)
            length, entries = await pipe.execute()
        last = int(entries[0][0].split(b"-")[0]) if entries else 0
        return last, not asked and length == last

    async def _rebuild(self, newest: int) -> int:
        """Write the whole stream under another name and swap it in; followers skip what they have applied."""
        # The hash tag keeps both names in one slot of a cluster, as RENAME needs it.
        aside = f"{self._stream}:rebuild:{{{self._stream}}}"
        await self._redis.delete(aside)
        written = 0
        async for n, body in self._rows(0, newest):
            await self._redis.xadd(aside, {"body": body}, id=f"{n}-0")
            written += 1
        if written:
            await self._redis.rename(aside, self._stream)
        else:
            await self._redis.delete(self._stream)
        await self._redis.delete(replay_key(self._stream))
        relay_rebuilt_total.labels(self._stream).inc()
        return written

    async def _rows(self, after: int, to: int) -> AsyncIterator[tuple[int, bytes]]:
        while after < to:
            rows = await self._pool.fetch(
                "SELECT n, body FROM outbox WHERE stream = $1 AND n > $2 AND n <= $3 ORDER BY n LIMIT $4",
                self._stream,
                after,
                to,
                BATCH_MAX,
            )
            if not rows:
                return
            for row in rows:
                yield row["n"], row["body"]
            after = rows[-1]["n"]


Apply = Callable[[Connection, Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the relay said last: its newest number, when, and its database's epoch (None: a relay of before)."""

    n: int
    at: datetime
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    n: int
    message: Message


class Follower:
    """Applies one stream to this service's read model, each message once in effect."""

    def __init__(self, pool: Pool, redis: Redis, stream: str, apply: Apply) -> None:
        self._pool, self._redis, self._stream, self._apply = pool, redis, stream, apply
        # Until anything better is known: a follower that never was complete lags since its process began.
        self._complete_at = datetime.now(UTC)
        self._complete_known = False

    async def follow_once(self) -> int:
        """Apply what follows the checkpoint; returns how many messages were applied.

        Raises nothing for a gap: it asks the relay for a replay and waits.
        """
        checkpoint = await self._checkpoint()
        # Told as a function: the lag grows also while Valkey is away and nothing below is reached.
        follower_lag_seconds.labels(self._stream).set_function(self._lag_s)
        heartbeat = await self._heartbeat()
        if heartbeat is not None and await self._start_over(checkpoint, heartbeat):
            return 1
        entries = await self._read(checkpoint)
        if entries and entries[0].n != checkpoint + 1:
            follower_gaps_total.labels(self._stream).inc()
            await self._redis.set(replay_key(self._stream), checkpoint)
            return 0
        for entry in entries:
            checkpoint = await self._apply_entry(entry)
        await self._note_lag(checkpoint, heartbeat)
        return len(entries)

    async def _checkpoint(self) -> int:
        found = await self._pool.fetchrow(
            "SELECT n, complete_at FROM stream_checkpoints WHERE stream = $1", self._stream
        )
        if found is not None and found["complete_at"] is not None:
            self._note_complete(found["complete_at"])
        return int(found["n"]) if found is not None else 0

    def _note_complete(self, at: datetime) -> None:
        self._complete_at = max(self._complete_at, at) if self._complete_known else at
        self._complete_known = True

    def _lag_s(self) -> float:
        return (datetime.now(UTC) - self._complete_at).total_seconds()

    async def _start_over(self, checkpoint: int, heartbeat: Heartbeat) -> bool:
        """Whether the publisher was restored to an earlier state: its messages are whole states, so read all again."""
        known = await self._pool.fetchval(
            "SELECT n FROM stream_checkpoints WHERE stream = $1", _epoch_row(self._stream)
        )  # fmt: skip
        changed = heartbeat.epoch is not None and heartbeat.epoch != known
        restored = heartbeat.n < checkpoint or (changed and known is not None)
        if changed or restored:
            async with transaction(self._pool) as connection:
                if restored:
                    await self._store_checkpoint(connection, 0)
                if changed:
                    await connection.execute(
                        "INSERT INTO stream_checkpoints (stream, n) VALUES ($1, $2)"
                        " ON CONFLICT (stream) DO UPDATE SET n = excluded.n",
                        _epoch_row(self._stream),
                        heartbeat.epoch,
                    )
        if restored:
            follower_restarts_total.labels(self._stream).inc()
        return restored

    async def _heartbeat(self) -> Heartbeat | None:
        raw: dict[bytes, bytes] = await cast(Any, self._redis).hgetall(heartbeat_key(self._stream))
        if not raw:
            return None
        epoch = raw.get(b"epoch")
        at = datetime.fromisoformat(raw[b"at"].decode())
        return Heartbeat(int(raw[b"n"]), at, None if epoch is None else int(epoch))

    async def _read(self, checkpoint: int) -> list[Entry]:
        found: Any = await self._redis.xrange(self._stream, min=f"{checkpoint + 1}-0", max="+", count=BATCH_MAX)
        entries: list[Entry] = []
        for identity, fields in found:
            n = int(identity.split(b"-")[0])
            if entries and n != entries[-1].n + 1:
                break
            entries.append(Entry(n, decode(fields[b"body"])))
        return entries

    async def _apply_entry(self, entry: Entry) -> int:
        async with transaction(self._pool, idle_max_s=_SILENT_MAX_S) as connection:
            await connection.execute(
                "INSERT INTO stream_checkpoints (stream, n) VALUES ($1, 0) ON CONFLICT DO NOTHING", self._stream
            )
            checkpoint: int = await connection.fetchval(
                "SELECT n FROM stream_checkpoints WHERE stream = $1 FOR UPDATE", self._stream
            )
            if entry.n == checkpoint + 1:
                await self._apply(connection, entry.message)
                await connection.execute(
                    "UPDATE stream_checkpoints SET n = $2 WHERE stream = $1", self._stream, entry.n
                )
                checkpoint = entry.n
        follower_applied_total.labels(self._stream).inc()
        return checkpoint

    async def _store_checkpoint(self, connection: Connection, n: int) -> None:
        await connection.execute("UPDATE stream_checkpoints SET n = $2 WHERE stream = $1", self._stream, n)

    async def _note_lag(self, checkpoint: int, heartbeat: Heartbeat | None) -> None:
        """A follower is complete as of the heartbeat whose number it has reached."""
        if heartbeat is None:
            return
        newest, at = heartbeat.n, heartbeat.at
        follower_lag_entries.labels(self._stream).set(max(0, newest - checkpoint))
        if checkpoint >= newest:
            self._note_complete(at)
            await self._pool.execute(
                "INSERT INTO stream_checkpoints (stream, n, complete_at) VALUES ($1, $2, $3)"
                " ON CONFLICT (stream) DO UPDATE SET complete_at = excluded.complete_at"
                " WHERE stream_checkpoints.complete_at IS NULL"
                " OR stream_checkpoints.complete_at < excluded.complete_at - interval '2 seconds'",
                self._stream,
                checkpoint,
                at,
            )


def _epoch_row(stream: str) -> str:
    """The row beside a stream's checkpoint that holds the epoch of its publisher."""
    return f"{stream}:epoch"


async def lag_s(connection: Connection | Pool, stream: str) -> float:
    """Seconds since the follower of `stream` was last known complete; infinite when never."""
    lag = await connection.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - complete_at) FROM stream_checkpoints WHERE stream = $1", stream
    )
    return float("inf") if lag is None else float(lag)


async def backlog(pool: Pool, redis: Redis, stream: str) -> dict[str, Any]:
    """{stream, last, waiting}: messages that committed and are not in the stream yet; None while Valkey is away."""
    row = await pool.fetchrow(
        "SELECT coalesce(max(n), 0) AS last, count(*) FILTER (WHERE n IS NULL) AS unnumbered"
        " FROM outbox WHERE stream = $1 AND (n IS NULL OR n = (SELECT max(n) FROM outbox WHERE stream = $1))",
        stream,
    )
    assert row is not None
    try:
        entries: Any = await redis.xrevrange(stream, count=1)
    except REDIS_FAILURES:
        return {"stream": stream, "last": row["last"], "waiting": None}
    published = int(entries[0][0].split(b"-")[0]) if entries else 0
    return {"stream": stream, "last": row["last"], "waiting": max(0, row["last"] - published) + row["unnumbered"]}

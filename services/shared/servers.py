"""PostgreSQL and Valkey as a service sees them, as metrics: one step of the elected process, every few seconds.

Asked with the service's own least-privileged role, so that the figures are the same on the embedded platform, on one
host and in a cluster, and no further program needs an account. Counters of a server become counters of ours by their
differences: a server that began anew counts from 0.
"""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Any

import asyncpg
from prometheus_client import Counter
from redis.asyncio import Redis

from services.shared import metrics
from services.shared.loops import Loop
from services.shared.postgres import Pool
from services.shared.redis_client import REDIS_FAILURES

EVERY_S = 10.0
ANSWER_WITHIN_S = 2.0
_DATABASE_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Ended(StrEnum):
    """How transactions end."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"


class Found(StrEnum):
    """Where a block was found that a query read: in PostgreSQL's own memory, or beyond it."""

    MEMORY = "memory"
    BEYOND = "beyond"


_POSTGRES = """
    SELECT xact_commit AS committed, xact_rollback AS rolled_back, blks_hit AS memory, blks_read AS beyond,
        deadlocks, temp_bytes, pg_database_size(datid) AS database_bytes,
        (SELECT sum(numbackends)::int FROM pg_stat_database) AS connections,
        current_setting('max_connections')::int AS connections_max,
        (SELECT count(*)::int FROM pg_locks WHERE NOT granted) AS lock_waits,
        (SELECT count(*)::int FROM pg_stat_replication) AS standbys,
        (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8 FROM pg_stat_activity
         WHERE usename = current_user AND pid <> pg_backend_pid()) AS oldest_transaction_s,
        CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_lsn() - '0/0')::float8 END AS wal_bytes
    FROM pg_stat_database WHERE datname = current_database()
"""


class ServersWatch:
    """What `watch_once` last saw of each server's counters."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool, self._redis = pool, redis
        self._seen: dict[Counter, float] = {}

    def loop(self) -> Loop:
        return Loop("watch servers", self.watch_once, EVERY_S)

    async def watch_once(self) -> int:
        """Set every figure; a server that is away is told by its `…_up`, never raised. Always idle afterwards."""
        await asyncio.gather(self._watch_postgres(), self._watch_valkey())
        return 0

    async def _watch_postgres(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S), self._pool.acquire() as connection:
                began = time.perf_counter()
                await connection.fetchval("SELECT 1")
                answer_s = time.perf_counter() - began
                row = await connection.fetchrow(_POSTGRES)
        except _DATABASE_AWAY:
            metrics.postgres_up.set(0)
            return
        assert row is not None
        metrics.postgres_up.set(1)
        metrics.postgres_answer_seconds.set(answer_s)
        self._take_postgres(row)

    def _take_postgres(self, row: asyncpg.Record) -> None:
        metrics.postgres_connections.set(row["connections"])
        metrics.postgres_connections_max.set(row["connections_max"])
        metrics.postgres_database_bytes.set(row["database_bytes"])
        metrics.postgres_lock_waits.set(row["lock_waits"])
        metrics.postgres_standbys.set(row["standbys"])
        metrics.postgres_oldest_transaction_seconds.set(row["oldest_transaction_s"])
        for ended in Ended:
            self._count(metrics.postgres_transactions_total.labels(ended), row[ended.value])
        for found in Found:
            self._count(metrics.postgres_blocks_total.labels(found), row[found.value])
        self._count(metrics.postgres_deadlocks_total, row["deadlocks"])
        self._count(metrics.postgres_temporary_bytes_total, row["temp_bytes"])
        if row["wal_bytes"] is not None:
            self._count(metrics.postgres_wal_bytes_total, row["wal_bytes"])

    async def _watch_valkey(self) -> None:
        client: Any = self._redis
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                began = time.perf_counter()
                await client.time()
                answer_s = time.perf_counter() - began
                told = await client.info()
        except REDIS_FAILURES:
            metrics.valkey_up.set(0)
            return
        metrics.valkey_up.set(1)
        metrics.valkey_answer_seconds.set(answer_s)
        # A cluster's client may answer by node.
        self._take_valkey([told] if "uptime_in_seconds" in told else list(told.values()))

    def _take_valkey(self, nodes: list[dict[str, Any]]) -> None:
        def total(name: str) -> float:
            return float(sum(node.get(name, 0) for node in nodes))

        metrics.valkey_memory_bytes.set(total("used_memory"))
        metrics.valkey_memory_max_bytes.set(total("maxmemory"))
        metrics.valkey_clients.set(total("connected_clients"))
        metrics.valkey_replicas.set(total("connected_slaves"))
        metrics.valkey_keys.set(sum(node.get("db0", {}).get("keys", 0) for node in nodes))
        metrics.valkey_uptime_seconds.set(min(node["uptime_in_seconds"] for node in nodes))
        well = all(node.get(name, "ok") == "ok" for node in nodes for name in _FILE_STATES)
        metrics.valkey_files_well.set(int(well))
        self._count(metrics.valkey_commands_total, total("total_commands_processed"))
        self._count(metrics.valkey_evicted_keys_total, total("evicted_keys"))
        self._count(metrics.valkey_refused_connections_total, total("rejected_connections"))

    def _count(self, counter: Counter, value: float) -> None:
        """Add what the server's counter grew by; the first sight only tells where to begin."""
        seen = self._seen.get(counter)
        self._seen[counter] = value
        if seen is not None:
            counter.inc(value - seen if value >= seen else value)


_FILE_STATES = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")

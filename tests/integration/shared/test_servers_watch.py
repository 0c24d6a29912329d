"""What a service tells of PostgreSQL and Valkey: figures of real servers, and that one is away."""

from __future__ import annotations

import pytest
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis

from services.shared import metrics
from services.shared.outbox import Follower
from services.shared.redis_client import REDIS_FAILURES, open_redis
from services.shared.servers import Ended, ServersWatch
from tests.integration.shared.conftest import STREAM, Channel, note


def value(metric: Counter | Gauge) -> float:
    return float(metric._value.get())


@pytest.fixture
def nowhere() -> Redis:
    return open_redis("redis://127.0.0.1:1/0", timeout_s=0.2, connections_max=1, name="test")


async def test_figures_come_from_the_servers_and_counters_from_their_growth(channel: Channel) -> None:
    watch = ServersWatch(channel.read_model, channel.redis)
    committed = metrics.postgres_transactions_total.labels(Ended.COMMITTED)
    before, commands = value(committed), value(metrics.valkey_commands_total)
    assert await watch.watch_once() == 0
    # A server that has run for days must not look like one that did all of it just now.
    assert value(committed) == before
    for _ in range(5):
        await channel.read_model.execute("INSERT INTO applied (staff) VALUES ('x')")
        await channel.redis.set("registry.test", "x")
    # Each connection hands in its statistics a while after its transaction, at the latest when it ends.
    async with channel.read_model.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
    await watch.watch_once()
    assert value(committed) > before
    assert value(metrics.valkey_commands_total) >= commands + 5
    assert value(metrics.postgres_up) == value(metrics.valkey_up) == value(metrics.valkey_files_well) == 1
    assert 1 <= value(metrics.postgres_connections) < value(metrics.postgres_connections_max)
    assert value(metrics.postgres_database_bytes) > 1_000_000
    assert value(metrics.valkey_memory_bytes) > 100_000
    assert value(metrics.valkey_keys) >= 1


async def test_a_server_that_is_away_is_told_and_stops_nothing(channel: Channel, nowhere: Redis) -> None:
    await ServersWatch(channel.read_model, channel.redis).watch_once()
    await ServersWatch(channel.read_model, nowhere).watch_once()
    assert (value(metrics.postgres_up), value(metrics.valkey_up)) == (1, 0)
    await channel.read_model.close()
    await ServersWatch(channel.read_model, channel.redis).watch_once()
    assert (value(metrics.postgres_up), value(metrics.valkey_up)) == (0, 1)


async def test_the_lag_of_a_follower_grows_while_valkey_is_away(channel: Channel, nowhere: Redis) -> None:
    """A follower that hears nothing must not look as complete as when it last heard something."""
    await channel.publish(1)
    await channel.carry()
    lag = metrics.follower_lag_seconds.labels(STREAM)
    assert 0 <= next(iter(lag.collect())).samples[0].value < 5
    await channel.read_model.execute("UPDATE stream_checkpoints SET complete_at = complete_at - interval '1 minute'")
    with pytest.raises(REDIS_FAILURES):
        await Follower(channel.read_model, nowhere, STREAM, note).follow_once()
    assert next(iter(lag.collect())).samples[0].value > 55

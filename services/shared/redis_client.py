"""Valkey/Redis client with our own retry policy: none.

redis-py repeats a command up to ten times by default, so that a script may run twice; whoever calls here
decides alone what is safe to repeat. Every wait is bounded.
"""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# What a caller catches to go on without Valkey; TimeoutError covers our own asyncio.timeout.
REDIS_FAILURES = (RedisError, OSError, TimeoutError)


def open_redis(url: str, *, timeout_s: float, connections_max: int, name: str) -> Redis:
    """Client without retries; `timeout_s` bounds connecting and every reply."""
    pool = ConnectionPool.from_url(
        url,
        max_connections=connections_max,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        client_name=name,
    )
    return Redis.from_pool(pool)

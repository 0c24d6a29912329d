"""Valkey/Redis client with our own retry policy: none.

redis-py repeats a command up to ten times by default, so that a script may run twice; whoever calls here
decides alone what is safe to repeat. Every wait is bounded. A URL of the form
`redis+cluster://user:password@host:port,host:port` names some nodes of a cluster, or one name that leads to any.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.shared.errors import ConfigurationError

# What a caller catches to go on without Valkey; TimeoutError covers our own asyncio.timeout.
REDIS_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)

# For background work and sign-ins: a line that went silent must be found out before a message of it is late.
PATIENT_S = 2.0
_SINGLE, _CLUSTER = ("redis", "rediss", "unix"), ("redis+cluster", "rediss+cluster")
_PORT = 6379


def open_redis(url: str, *, timeout_s: float, connections_max: int, name: str) -> Redis:
    """Client without retries; `timeout_s` bounds connecting and every reply. A cluster's takes the same calls.

    Commands on several keys need keys of one slot in a cluster. Raises ConfigurationError for a cluster's URL that
    names no node.
    """
    if urlsplit(url).scheme in _CLUSTER:
        return cast(Redis, _open_cluster(url, timeout_s, connections_max, name))
    pool = ConnectionPool.from_url(
        url,
        max_connections=connections_max,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        client_name=name,
    )
    return _Single.from_pool(pool)


def check_redis_url(url: str) -> None:
    """Raise ConfigurationError for a URL that no client can be made from; the URL itself, a secret, is not repeated."""
    scheme = urlsplit(url).scheme
    if scheme in _CLUSTER:
        cluster_nodes(url)
    elif scheme not in _SINGLE:
        raise ConfigurationError(
            "REDIS_URL: begins with redis://, rediss:// or unix://, a cluster's with redis+cluster://"
        )


def cluster_nodes(url: str) -> list[tuple[str, int]]:
    """Hosts and ports that a cluster's URL names; raises ConfigurationError without repeating the URL."""
    nodes = []
    for place in urlsplit(url).netloc.rpartition("@")[2].split(","):
        parts = urlsplit(f"//{place}")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host:
            raise ConfigurationError(
                "REDIS_URL: a cluster is written redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT"
            )
        nodes.append((host, port or _PORT))
    return nodes


def _open_cluster(url: str, timeout_s: float, connections_max: int, name: str) -> RedisCluster:
    account, at, _ = urlsplit(url).netloc.rpartition("@")
    user, _, password = account.partition(":") if at else ("", "", "")
    return _Cluster(
        startup_nodes=[ClusterNode(host, port) for host, port in cluster_nodes(url)],
        username=unquote(user) or None,
        password=unquote(password) or None,
        ssl=urlsplit(url).scheme.startswith("rediss"),
        max_connections=connections_max,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        # A shard that is away must not take the others with it.
        require_full_coverage=False,
        # Addresses change: what the URL names is asked for the map, not what was found there once.
        dynamic_startup_nodes=False,
        client_name=name,
    )


class _Single(Redis):
    """redis-py's client, which after a call that was never answered gives up what lies idle in its pool, too.

    A line that went silent costs its whole time limit to whoever takes it next; all lead the same way.
    """

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        except RedisTimeoutError:
            await self.connection_pool.disconnect(inuse_connections=False)
            raise


class _Cluster(RedisCluster):
    """redis-py's client, whose map of the slots is looked up beside the callers, not in their time.

    A caller's deadline may be shorter than a look-up: cancelled with its caller, it would begin anew for ever. A node
    that hangs answers no MOVED: after a call given up the map is looked up, so that a failover is noticed. And the list
    of commands, whose parsing holds up the process for a tenth of a second, is asked for once only.
    """

    _looking_up: asyncio.Task[None] | None = None
    _knows_commands = False

    async def initialize(self, *_: Any, **__: Any) -> RedisCluster:
        if self._initialize:
            await asyncio.shield(self._begin())
        return self

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*arguments, **options)
        except (asyncio.CancelledError, TimeoutError):
            self._begin()
            raise

    async def aclose(self) -> None:
        if self._looking_up is not None:
            # Bounded by the socket's time limits; cancelled, it would cancel whoever waits for it.
            await asyncio.wait([self._looking_up])
        await super().aclose()

    def _begin(self) -> asyncio.Task[None]:
        if self._looking_up is None or self._looking_up.done():
            self._looking_up = asyncio.create_task(self._look_up(), name="look up the cluster")
            # Its failure is told to whoever waits for it; nobody may.
            self._looking_up.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._looking_up

    async def _look_up(self) -> None:
        if self._knows_commands:
            await self.nodes_manager.initialize()
            self._initialize = False
        else:
            await super().initialize()
            self._knows_commands = True

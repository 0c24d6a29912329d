"""A Valkey Cluster on loopback from the same wheel: primaries with a replica each, and the platform's own accounts.

For `loadtests.growth` and tests/system/test_growth.py. Leaving the context leaves no process. A node that is killed
stays down until it is started again, so that its replica takes over.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis

from services.cli.embedded import valkey
from services.cli.embedded.child import Child, ChildSpec
from services.cli.embedded.home import Home, free_port, write_private
from services.cli.supervisor import Platform
from services.shared.redis_client import REDIS_FAILURES
from tests.support.waiting import wait_until

SLOTS = 16384
NODE_TIMEOUT_MS = 1500
READY_WITHIN_S = 20.0


@dataclass(frozen=True)
class Node:
    """One server; `port` is also how the cluster's own answers name it."""

    port: int
    bus_port: int
    child: Child


class ValkeyCluster:
    """`primaries` nodes that share the slots evenly and a replica of each; `passwords` are a home's."""

    def __init__(self, folder: Path, passwords: Mapping[str, str], primaries: int = 3) -> None:
        self._passwords, self._primaries = passwords, primaries
        taken: set[int] = set()
        self.nodes = [
            _node(folder / f"valkey-{place}", passwords, free_port(None, taken), free_port(None, taken))
            for place in range(2 * primaries)
        ]

    async def __aenter__(self) -> Self:
        try:
            for node in self.nodes:
                await node.child.start()
            for node in self.nodes:
                await node.child.ready(READY_WITHIN_S)
            await self._form()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.child.stop()

    def url(self, user: str) -> str:
        """How a service is told of the cluster."""
        places = ",".join(f"{valkey.HOST}:{node.port}" for node in self.nodes)
        return f"redis+cluster://{user}:{self._passwords[user]}@{places}"

    @asynccontextmanager
    async def operator(self, node: Node) -> AsyncIterator[Any]:
        """A client of one node, with every right."""
        async with Redis.from_url(valkey.url("operator", self._passwords["operator"], node.port)) as client:
            yield client

    async def _form(self) -> None:
        """Share out the slots, introduce the nodes, and make the second half replicas of the first."""
        each = SLOTS // self._primaries
        for place, node in enumerate(self.nodes):
            async with self.operator(node) as client:
                await client.execute_command("CLUSTER SET-CONFIG-EPOCH", place + 1)
                if place < self._primaries:
                    last = SLOTS - 1 if place == self._primaries - 1 else (place + 1) * each - 1
                    await client.execute_command("CLUSTER ADDSLOTSRANGE", place * each, last)
        async with self.operator(self.nodes[0]) as client:
            for node in self.nodes[1:]:
                await client.execute_command("CLUSTER MEET", valkey.HOST, node.port, node.bus_port)
        await self._wait_for_all(self._knows_all, "every node knows every other")
        for primary, node in zip(self.nodes, self.nodes[self._primaries :], strict=False):
            async with self.operator(primary) as client:
                identity = (await client.execute_command("CLUSTER MYID")).decode()
            async with self.operator(node) as client:
                await client.execute_command("CLUSTER REPLICATE", identity)
        await self._wait_for_all(self._is_whole, "the cluster is whole")

    async def _wait_for_all(self, holds: Callable[[Node], Awaitable[bool]], description: str) -> None:
        async def all_hold() -> bool:
            return all([await holds(node) for node in self.nodes])

        await wait_until(all_hold, READY_WITHIN_S, description, 0.1)

    async def _knows_all(self, node: Node) -> bool:
        async with self.operator(node) as client:
            told = await client.execute_command("CLUSTER INFO")
        return int(_facts(told)["cluster_known_nodes"]) == len(self.nodes)

    async def _is_whole(self, node: Node) -> bool:
        async with self.operator(node) as client:
            state = _facts(await client.execute_command("CLUSTER INFO"))["cluster_state"]
            told = await client.info("replication")
        return state == "ok" and (told["role"] == "master" or told["master_link_status"] == "up")

    async def primary_of(self, tag: str) -> Node:
        """The node that holds the keys with this hash tag, as the other nodes see it."""
        for node in self.nodes:
            try:
                async with self.operator(node) as client:
                    slot = int(await client.execute_command("CLUSTER KEYSLOT", tag))
                    ranges = await client.execute_command("CLUSTER SLOTS")
            except REDIS_FAILURES:
                continue
            ports = [primary[1] for first, last, primary, *_ in ranges if first <= slot <= last]
            return next(node for node in self.nodes if node.port == ports[0])
        raise ConnectionError("no node of the cluster answers")

    async def kill(self, node: Node) -> None:
        """As a power cut would end it; down until `start`."""
        node.child.kill(signal.SIGKILL)
        await node.child.stop()

    async def start(self, node: Node) -> None:
        """Bring a killed node back; it becomes a replica of whoever took over, and all is whole again."""
        await node.child.start()
        await node.child.ready(READY_WITHIN_S)
        await self._wait_for_all(self._is_whole, "the cluster is whole again")

    async def wait_for_failover(self, tag: str, lost: Node) -> None:
        async def taken_over() -> bool:
            survivors = [node for node in self.nodes if node is not lost]
            async with self.operator(survivors[0]) as client:
                slot = int(await client.execute_command("CLUSTER KEYSLOT", tag))
                ranges = await client.execute_command("CLUSTER SLOTS")
            return any(first <= slot <= last and primary[1] != lost.port for first, last, primary, *_ in ranges)

        await wait_until(taken_over, READY_WITHIN_S, "a replica takes over", 0.1)


class ClusterPlatform(Platform):
    """The platform on a cluster, each service with its own account there; the single Valkey is not started."""

    def __init__(self, home: Home, cluster: ValkeyCluster, *, database_url: str = "", workers: int = 2) -> None:
        super().__init__(home, database_url=database_url, redis_url=cluster.url("operator"), workers=workers)
        self._cluster = cluster

    def _environment(self) -> dict[str, str]:
        services = ("registry", "voting", "scoring")
        return super()._environment() | {f"{name.upper()}_REDIS_URL": self._cluster.url(name) for name in services}


def _node(folder: Path, passwords: Mapping[str, str], port: int, bus_port: int) -> Node:
    home = Home.at(folder)
    home.create()
    return Node(port, bus_port, Child(_spec(home, passwords, port, bus_port), lambda: None))


def _spec(home: Home, passwords: Mapping[str, str], port: int, bus_port: int) -> ChildSpec:
    spec = valkey.valkey_child(home, port, passwords)
    further = ["cluster-enabled yes", "cluster-config-file nodes.conf", f"cluster-node-timeout {NODE_TIMEOUT_MS}"]
    further += [f"cluster-port {bus_port}", "cluster-require-full-coverage no", "cluster-replica-validity-factor 0"]
    further += ["primaryuser operator", f"primaryauth {passwords['operator']}", "repl-diskless-sync-delay 0"]

    async def prepare() -> None:
        await spec.prepare()
        text = valkey.configuration(home, port) + "\n".join(further) + "\n"
        write_private(home.valkey / "valkey.conf", text)

    return replace(spec, name=f"valkey at {port}", prepare=prepare)


def _facts(told: bytes | Mapping[str, str]) -> Mapping[str, str]:
    """CLUSTER INFO as redis-py or the server gives it."""
    if isinstance(told, bytes):
        return dict(line.split(":", 1) for line in told.decode().split("\r\n") if ":" in line)
    return told

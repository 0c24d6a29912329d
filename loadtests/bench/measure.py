"""One measured stretch of load on one contender: ballots per second, CPU per ballot by process, latencies, memory.

Invariant: what wrk saw accepted is what the contender's ledger gained; anything else is no measurement and is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from loadtests.bench import processes, wrk
from loadtests.bench.stage import Stage
from loadtests.bench.voters import Voter
from loadtests.bench.wrk import Load, LoadFailed

_MEMORY_EVERY_S = 0.1
_DRAIN_S = 0.5
# Answers to all connections take connections ÷ speed; three times that also where the machine is disturbed.
_DRAIN_QUEUES = 3
_SPEED_UNKNOWN_PER_S = 400.0


@dataclass(frozen=True)
class Plan:
    """How long and how wide: `seconds` per measured stretch, `side_seconds` for what only accompanies it."""

    seconds: float
    side_seconds: float
    warm_s: float
    connections: int = 64
    # More ballots than any contender takes in a second on this kind of machine; the rest is simply not sent.
    per_second_max: int = 9000


@dataclass(frozen=True)
class Running:
    """A contender that is up: its port, the root of each process tree, its workers, and how many ballots it keeps."""

    port: int
    roots: Mapping[str, int]
    workers: Sequence[int] = ()
    count: Callable[[], Awaitable[int]] | None = None


@dataclass(frozen=True)
class Stretch:
    """What one stretch showed; `cpu_us` by process tree over the whole stretch."""

    load: Load
    cpu_us: Mapping[str, float]
    memory_mb: float
    decided: int = field(default=0)

    @property
    def per_s(self) -> float:
        return self.decided / self.load.seconds

    @property
    def cpu_us_each(self) -> float:
        return sum(self.cpu_us.values()) / max(1, self.decided)

    def figures(self) -> dict[str, float]:
        parts = {f"cpu_us_{name}": used / max(1, self.decided) for name, used in self.cpu_us.items()}
        return {
            "ballots_per_s": self.per_s,
            "cpu_us_per_ballot": self.cpu_us_each,
            **(parts if len(parts) > 1 else {}),
            "p50_ms": self.load.p50_ms,
            "p99_ms": self.load.p99_ms,
            **({"memory_mb": self.memory_mb} if self.memory_mb else {}),
        }


class Bench:
    """Sends prepared ballots at a running contender."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage, self.plan = stage, plan
        self._file = stage.folder / "requests"

    async def warm(self, running: Running) -> float:
        """A short stretch nobody looks at but for its speed, ballots per second; what is compiled late is then."""
        stretch, _ = await self.accept(running, self.plan.warm_s)
        return stretch.per_s

    async def accept(
        self, running: Running, seconds: float, *, connections: int = 0, per_s: float = 0.0
    ) -> tuple[Stretch, list[Voter]]:
        """New voters' ballots, each sent once; returns the stretch and who voted. `per_s` is the speed expected."""
        wanted = int(min(per_s * 1.6 or self.plan.per_second_max, self.plan.per_second_max) * seconds) + 200
        voters = self.stage.voters.mint(wanted)
        await self.stage.note_verified(self.stage.voters.verified(voters))
        stretch = await self.send(
            running, self.stage.voters.requests(voters), seconds, connections=connections, per_s=per_s
        )
        if stretch.load.refused:
            raise LoadFailed(f"{stretch.load.refused} ballots of honest voters were refused: nothing was measured")
        return stretch, voters[: stretch.load.sent]

    async def refuse(self, running: Running, voters: Sequence[Voter], seconds: float, per_s: float) -> Stretch:
        """Second ballots of people who have voted; every one must be refused."""
        stretch = await self.send(running, self.stage.voters.requests(voters), seconds, per_s=per_s, kept=False)
        if stretch.load.accepted:
            raise LoadFailed(f"{stretch.load.accepted} second ballots were accepted: nothing was measured")
        return stretch

    async def send(
        self, running: Running, requests: list[bytes], seconds: float, *, connections: int = 0, per_s: float = 0.0,
        again: bool = False, kept: bool = True,
    ) -> Stretch:  # fmt: skip
        """Any prepared requests; checks what the contender says it keeps against what wrk saw."""
        await asyncio.to_thread(wrk.write_requests, self._file, requests)
        connections = connections or self.plan.connections
        drain_s = _DRAIN_S + _DRAIN_QUEUES * connections / (per_s or _SPEED_UNKNOWN_PER_S)
        kept_before = await running.count() if running.count else 0
        before = processes.cpu_us(running.roots)
        async with _Memory(running.workers) as memory:
            load = await wrk.drive(
                running.port, self._file, seconds=seconds, drain_s=drain_s, connections=connections, again=again
            )
        after = processes.cpu_us(running.roots)
        if load.broken or not load.answered:
            raise LoadFailed(f"{load.broken} requests broke and {load.answered} were answered: nothing was measured")
        gained = await running.count() - kept_before if running.count else 0
        if running.count and gained != (load.accepted if kept else 0):
            raise LoadFailed(f"wrk saw {load.accepted} accepted and the ledger gained {gained}: nothing was measured")
        used = {name: after[name] - before[name] for name in running.roots}
        return Stretch(load, used, memory.peak_mb, load.answered)


class _Memory:
    """The largest resident memory of some processes while the context is open."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids, self.peak_mb = list(pids), 0.0

    async def __aenter__(self) -> _Memory:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        while self._pids:
            self.peak_mb = max(self.peak_mb, processes.memory_mb(self._pids))
            await asyncio.sleep(_MEMORY_EVERY_S)

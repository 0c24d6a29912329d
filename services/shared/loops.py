"""Background work as `x_once() -> int` functions under one loop.

Each function does a bounded piece of work and returns how much it did; zero means idle. One elected process
runs them; a crash at any statement is harmless because each step's effect and checkpoint are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import Counter

from services.shared.postgres import Election

log = logging.getLogger(__name__)

loop_runs_total = Counter("loop_runs_total", "Runs of a background step.", ["loop", "result"])


@dataclass(frozen=True, slots=True)
class Loop:
    """A step, and how long to rest after it found nothing to do."""

    name: str
    once: Callable[[], Awaitable[int]]
    idle_s: float = 0.5


async def run_loop(loop: Loop, may_run: Callable[[], bool]) -> None:
    """Run one step for ever; a failure is logged, counted and tried again after a pause that grows to 5 s."""
    pause_s = loop.idle_s
    while True:
        if not may_run():
            await asyncio.sleep(0.2)
            continue
        try:
            done = await loop.once()
        except Exception as error:
            # The text of a database error can quote a row; its type is enough to find it.
            loop_runs_total.labels(loop.name, "failed").inc()
            log.warning("background step failed", extra={"loop": loop.name, "failure": type(error).__name__})
            pause_s = min(max(pause_s, 0.1) * 2, 5.0)
            await asyncio.sleep(pause_s)
            continue
        loop_runs_total.labels(loop.name, "worked" if done else "idle").inc()
        pause_s = loop.idle_s
        if not done:
            await asyncio.sleep(loop.idle_s)


class ElectedLoops:
    """The loops of a service, run by whichever of its processes holds the lock."""

    def __init__(self, election: Election, loops: list[Loop]) -> None:
        self._election, self._loops = election, loops
        self._leading = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> ElectedLoops:
        self._tasks = [asyncio.create_task(self._stand(), name="election")]
        self._tasks += [
            asyncio.create_task(run_loop(loop, lambda: self._leading), name=loop.name) for loop in self._loops
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._election.resign()

    @property
    def leading(self) -> bool:
        return self._leading

    @property
    def alive(self) -> bool:
        """True while none of the tasks has ended, which only a bug of ours could make them do."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def _stand(self) -> None:
        while True:
            try:
                self._leading = await self._election.leads()
            except Exception as error:
                self._leading = False
                log.warning("election failed", extra={"failure": type(error).__name__})
            await asyncio.sleep(1.0)

"""Background work as `x_once() -> int` functions under one loop.

Each function does a bounded piece of work and returns how much it did; zero means idle. One elected process
runs them; a crash at any statement is harmless because each step's effect and checkpoint are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from services.shared.metrics import forget_elected, loop_runs_total
from services.shared.postgres import Election

log = logging.getLogger(__name__)

_FINISH_WITHIN_S = 3.0
_IDLE_MAX_S = 1.0
_IDLE_GROWTH = 1.25


class Run(StrEnum):
    """What became of one run of a step."""

    WORKED = "worked"
    IDLE = "idle"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Loop:
    """A step, and how long to rest after it found nothing to do.

    The rest grows from `idle_s` to `_IDLE_MAX_S` while nothing happens: an idle platform costs next to nothing, and
    a busy one reacts at once. A longer `idle_s` is kept as it is.

    A step whose cost is per run, not per piece, names in `worth` how much makes it run again without a rest: a follower
    of the ledger that ran for every handful of ballots would cost more than the ballots.
    """

    name: str
    once: Callable[[], Awaitable[int]]
    idle_s: float = 0.2
    worth: int = 1


class Loops:
    """Steps that this process runs for itself, as an async context manager.

    Leaving lets each step at hand finish (a cancelled command would leave its connection in an unknown state) and
    cancels only what takes longer than `_FINISH_WITHIN_S`.
    """

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run(loop), name=loop.name) for loop in self._loops]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def alive(self) -> bool:
        """True while none of the tasks has ended, which only a bug of ours could make them do."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def _may_run(self) -> bool:
        return True

    async def _rest(self, seconds: float) -> None:
        """Sleep, but no longer than until the end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _run(self, loop: Loop) -> None:
        """One step for ever; a failure is logged, counted and tried again after a pause that grows to 5 s."""
        pause_s = loop.idle_s
        while not self._stopping.is_set():
            if not self._may_run():
                await self._rest(0.2)
                continue
            try:
                done = await loop.once()
            except Exception as error:
                # The text of a database error can quote a row; its type is enough to find it.
                loop_runs_total.labels(loop.name, Run.FAILED).inc()
                log.warning("background step failed", extra={"loop": loop.name, "failure": type(error).__name__})
                pause_s = min(max(pause_s, 0.1) * 2, 5.0)
                await self._rest(pause_s)
                continue
            loop_runs_total.labels(loop.name, Run.WORKED if done else Run.IDLE).inc()
            if done:
                pause_s = loop.idle_s
                if done < loop.worth:
                    await self._rest(loop.idle_s)
                continue
            pause_s = max(loop.idle_s, min(pause_s, _IDLE_MAX_S))
            await self._rest(pause_s)
            pause_s *= _IDLE_GROWTH


class ElectedLoops(Loops):
    """The loops of a service, run by whichever of its processes holds the lock."""

    def __init__(self, election: Election, loops: Sequence[Loop]) -> None:
        super().__init__(loops)
        self._election = election
        self._leading = False

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._tasks.append(asyncio.create_task(self._stand(), name="election"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self._election.resign()

    @property
    def leading(self) -> bool:
        return self._leading

    def _may_run(self) -> bool:
        return self._leading

    async def _stand(self) -> None:
        while not self._stopping.is_set():
            try:
                self._leading = await self._election.leads()
            except Exception as error:
                self._leading = False
                log.warning("election failed", extra={"failure": type(error).__name__})
            if not self._leading:
                # Each time: a step that was under way when the lead was lost may have set a gauge since.
                forget_elected()
            await self._rest(1.0)

"""Runs one after the other on one stage, their ends together, and what became of each as a line of a journal.

The journal makes a long series resumable: a run that stands in it is not played again. Everything is bounded: a run in
time, a series in runs and minutes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from loadtests.chaos.checker import RECORDING, Finding, told_of
from loadtests.chaos.disk_faults import small_disks
from loadtests.chaos.mutants import Mutant, planting
from loadtests.chaos.recorder import read
from loadtests.chaos.scene import Scene
from loadtests.chaos.schedules import Schedule
from loadtests.chaos.stage import Stage
from services.cli.audit import violations
from services.cli.embedded.databases import Names, database_url
from services.cli.embedded.home import Home, PlatformError
from services.cli.embedded.keys import SERVICES

RUN_S_MAX, END_S_MAX = 150.0, 90.0
BACKLOG_S_MAX = 1800.0
# Rounds are closed together: each needs seconds of notice and grace, in which nothing happens.
TOGETHER = 8
# A planted bug may need luck to show: so many seeds are tried of each schedule that must notice it.
SEEDS_TRIED = (1, 2, 3)


class Result(msgspec.Struct, frozen=True):
    """What became of a run; `error` where it could not be played to its end, which is a finding too."""

    schedule: str
    seed: int
    seconds: float
    attempts: int = 0
    acknowledged: int = 0
    recovery_s: float | None = None
    findings: list[Finding] = []
    error: str = ""

    @property
    def is_good(self) -> bool:
        return not self.findings and not self.error


class Journal:
    """One line a run, synced; what stands in it has been played."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.results: list[Result] = []
        if path.exists():
            lines = path.read_bytes().split(b"\n")[:-1]
            self.results = [msgspec.json.decode(line, type=Result) for line in lines]

    def has(self, schedule: str, seed: int) -> bool:
        return any((each.schedule, each.seed) == (schedule, seed) for each in self.results)

    def add(self, result: Result) -> None:
        self.results.append(result)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")
            file.flush()
            os.fsync(file.fileno())


async def play_planted(
    stage: Stage, table: Mapping[str, Schedule], mutants: Sequence[Mutant], told: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Planted bugs with the schedules that must notice them; what noticed each first, or nothing."""
    found: list[dict[str, Any]] = []
    async with planting(stage) as planter:
        for mutant in mutants:
            await planter.plant(mutant)
            stage.is_broken = False
            caught = await _noticed(stage, [table[name] for name in mutant.caught_by if name in table], mutant)
            found.append({"name": mutant.name, "caught_by": caught})
            told(f"{mutant.name}: {caught or 'NOT NOTICED'}")
    return found


async def _noticed(stage: Stage, chosen: Sequence[Schedule], mutant: Mutant) -> str:
    """The first schedule with a finding, and which; each run has a round of its own, and so a name of its own."""
    for schedule, seed in itertools.product(chosen, SEEDS_TRIED):
        named = replace(schedule, name=f"{mutant.name[:30]}_{schedule.name[:24]}")
        (result,) = await _play_some(stage, [(named, seed)])
        if not result.is_good:
            return f"{schedule.name}: {result.error or result.findings[0].kind}"
    return ""


@asynccontextmanager
async def open_stage(
    folder: Path, home: Path, *, with_small_disks: bool = False, patience: float = 1.0
) -> AsyncIterator[Stage]:
    """A stage with a fresh platform, whose data is removed afterwards."""
    async with AsyncExitStack() as stack:
        stage = Stage(folder, home, patience)
        stack.callback(stage.clear)
        if with_small_disks:
            await stack.enter_async_context(small_disks(Home.at(home)))
        yield await stack.enter_async_context(stage)


async def play_all(
    stage: Stage, orders: Sequence[tuple[Schedule, int]], told: Callable[[Result], None], deadline: float = float("inf")
) -> list[Result]:
    """Play the orders until the deadline (monotonic), or until the stage does not mend any more; `told` hears of each
    result as it is known."""
    results: list[Result] = []
    for first in range(0, len(orders), TOGETHER):
        if time.monotonic() > deadline or stage.is_broken or stage.is_spoiled:
            break
        for result in await _play_some(stage, orders[first : first + TOGETHER]):
            told(result)
            results.append(result)
    return results


async def _play_some(stage: Stage, orders: Sequence[tuple[Schedule, int]]) -> list[Result]:
    async with AsyncExitStack() as stack:
        played = []
        for schedule, seed in orders:
            if stage.is_broken:
                break
            scene = await stack.enter_async_context(schedule.scene(stage, seed))
            started = time.monotonic()
            error = await _play(schedule, scene)
            played.append((scene, error, time.monotonic() - started))
        ended = await asyncio.gather(*(_end(scene, error) for scene, error, _ in played))
        excused = frozenset().union(*(scene.audit_excused for scene, _, _ in played))
        broken = [] if stage.is_broken else await _audit(stage, excused)
        stage.is_spoiled = bool(excused)
    results = []
    for (scene, _, seconds), (findings, error) in zip(played, ended, strict=True):
        # Whose fault a broken invariant is nobody knows: it stands with every run of these few.
        results.append(_result(scene, seconds, [*findings, *broken], error))
    return results


async def _play(schedule: Schedule, scene: Scene) -> str:
    """Empty, or what went wrong; afterwards the platform is whole again."""
    error = ""
    try:
        async with asyncio.timeout((BACKLOG_S_MAX if schedule.once else RUN_S_MAX) * scene.stage.patience):
            await schedule.play(scene)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    try:
        await scene.stage.settled()
    except PlatformError as failure:
        scene.stage.is_broken = True
        error = error or f"the platform did not mend: {failure}"
    return error


async def _end(scene: Scene, error: str) -> tuple[list[Finding], str]:
    if error or scene.stage.is_broken:
        return [], error or "the platform did not mend"
    try:
        async with asyncio.timeout(END_S_MAX * scene.stage.patience):
            return await scene.finish(), ""
    except Exception as failure:
        return [], f"{type(failure).__name__}: {failure}"


async def _audit(stage: Stage, excused: frozenset[str]) -> list[Finding]:
    """Broken invariants of the services, asked around the proxies."""
    urls = {name: database_url(stage.platform.admin_database_url, Names().database(name)) for name in SERVICES}
    found = await violations(urls)
    return [
        Finding("audit", f"{service}: {name} ({len(rows)} rows)")
        for service, name, rows in found
        if name not in excused
    ]


def _result(scene: Scene, seconds: float, findings: list[Finding], error: str) -> Result:
    told = told_of(read(scene.folder / RECORDING))
    acknowledged = {each.outcome.receipt for each in told if each.is_recorded}
    return Result(
        scene.schedule, scene.seed, round(seconds, 1), len(told), len(acknowledged), scene.recovery_s, findings, error
    )

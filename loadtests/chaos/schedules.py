"""The table of schedules: every fault by name, how it is played, and whether people may be made to wait by it.

A schedule with a seed is one run, the same each time as far as real processes allow: what is drawn is drawn from both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loadtests.chaos.backlog import backlog_play
from loadtests.chaos.clock_faults import clock_plays
from loadtests.chaos.disk_faults import disk_faults, small_disk_faults
from loadtests.chaos.ledger_faults import commits_out_of_order, ledger_plays
from loadtests.chaos.line_faults import line_faults
from loadtests.chaos.process_faults import process_faults
from loadtests.chaos.scene import Fault, Scene
from loadtests.chaos.stage import Stage
from loadtests.chaos.step_faults import step_plays

PEOPLE = 40
EDGE_OPEN_S = 4
EDGE_PEOPLE = 120
# A round must be known everywhere before it opens, so that somebody can come too early.
KNOWN_WITHIN_S = 4.0

Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Schedule:
    """`may_refuse`: this fault may make people wait. `once`: more seeds would tell nothing more."""

    name: str
    play: Play
    may_refuse: bool = True
    needs_small_disks: bool = False
    people: int = PEOPLE
    once: bool = False

    def scene(self, stage: Stage, seed: int) -> Scene:
        return Scene(stage, self.name, seed, may_refuse=self.may_refuse, people=self.people)


def _through(fault: Fault) -> Play:
    async def play(scene: Scene) -> None:
        await scene.open()
        await scene.vote_through(fault)

    return play


async def nothing(scene: Scene) -> None:
    """No fault at all: what is found here is the tools' own fault."""
    await scene.open()
    await scene.vote_through(_nothing)


async def _nothing(scene: Scene) -> None:
    await asyncio.sleep(0.5)


async def edges(scene: Scene) -> None:
    """People try once each from before the opening until after the close."""
    opens = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=round(KNOWN_WITHIN_S * scene.stage.patience))
    await scene.freeze(None, (opens.isoformat(), (opens + timedelta(seconds=EDGE_OPEN_S)).isoformat()))
    await scene.know()
    await asyncio.sleep(max(0.0, scene.window[0] - 1.0 - time.time()))
    async with asyncio.TaskGroup() as group:
        while time.time() < scene.window[1] + 1:
            group.create_task(scene.crowd.send(scene.crowd.newcomer("plain"), "passing"))
            await asyncio.sleep(scene.chance.uniform(0.0, 2.0) * (EDGE_OPEN_S + 2) / EDGE_PEOPLE)
    await scene.recover(with_ballot=False)


def _is_silent(name: str) -> bool:
    """Valkey makes us fast and polite: whatever happens to it, nobody is refused (promise 3)."""
    silent = ("valkey_", "scoring_", "registry_", "clients_delayed", "commits_")
    return name.startswith(silent)


def schedules(backlog: int) -> dict[str, Schedule]:
    """All of them by name; `backlog` is how many ballots the last one leaves to the follower of the ledger."""
    faults = line_faults() | process_faults() | disk_faults()
    every = [Schedule("nothing", nothing, may_refuse=False), Schedule("edges_of_the_window", edges, may_refuse=False)]
    every += [Schedule(name, _through(fault), may_refuse=not _is_silent(name)) for name, fault in faults.items()]
    every += [
        Schedule(name, _through(fault), may_refuse=not _is_silent(name), needs_small_disks=True)
        for name, fault in small_disk_faults().items()
    ]
    every.append(Schedule("commits_out_of_order", _through(commits_out_of_order), may_refuse=False))
    every += [Schedule(name, play, may_refuse="late" in name) for name, play in ledger_plays().items()]
    every += [Schedule(name, play) for name, play in step_plays().items()]
    every += [Schedule(name, play) for name, play in clock_plays().items()]
    every.append(Schedule("backlog", backlog_play(backlog), may_refuse=False, once=True))
    return {each.name: each for each in every}

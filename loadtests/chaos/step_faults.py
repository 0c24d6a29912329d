"""Relay and followers killed at each step: before they say it, and after it was done but not yet known to them.

Three ways are walked: the registry's relay that publishes a new round (also while it writes the whole stream anew),
voting's follower that takes it up, and voting's relay with scoring's follower that hand on the sealed tally.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.chaos.scene import Scene
from loadtests.chaos.traps import Trap, kill_caller

SPRINGS_WITHIN_S = 20.0
VOTERS = 8
ROUNDS = "registry.rounds"

Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Step:
    """Words by which a step is known on a line, and words said on it before."""

    line: str
    words: Sequence[str]
    before: Sequence[str] = ()


def _relay_steps(stream: str) -> dict[str, Step]:
    return {
        "locks": Step("postgres", ("pg_advisory_xact_lock(hashtext('outbox:'",)),
        "numbers": Step("postgres", ("SET n = last.n",)),
        "commits_numbers": Step("postgres", ("COMMIT",), ("SET n = last.n",)),
        "asks_epoch": Step("valkey", ("HGET ", f"{stream}:heartbeat", "epoch")),
        "beats": Step("valkey", ("HSET", f"{stream}:heartbeat")),
        "looks_at_stream": Step("valkey", ("XREVRANGE", stream)),
        "publishes": Step("valkey", ("XADD", f" {stream} ")),
    }


def _rebuild_steps(stream: str) -> dict[str, Step]:
    return {
        "clears": Step("valkey", ("DEL", f"{stream}:rebuild")),
        "writes_aside": Step("valkey", ("XADD", f"{stream}:rebuild")),
        "swaps": Step("valkey", ("RENAME", stream)),
        "ends_replay": Step("valkey", ("DEL", f"{stream}:replay")),
    }


def _follower_steps(stream: str, effect: str) -> dict[str, Step]:
    return {
        "reads_heartbeat": Step("valkey", ("HGETALL", f"{stream}:heartbeat")),
        "reads": Step("valkey", ("XRANGE", stream)),
        "locks": Step("postgres", ("stream_checkpoints", "FOR UPDATE")),
        "applies": Step("postgres", (effect,)),
        "moves_checkpoint": Step("postgres", ("UPDATE stream_checkpoints SET n",)),
        "commits": Step("postgres", ("COMMIT",), ("UPDATE stream_checkpoints SET n",)),
    }


def step_plays() -> dict[str, Play]:
    """Every step, killed before it and after it, as `round_relay_publishes_after`."""
    ways = {
        "round_relay": (_relay_steps(ROUNDS), _freeze_in),
        "round_rebuild": (_rebuild_steps(ROUNDS), _mend_in),
        "round_follower": (_follower_steps(ROUNDS, "INSERT INTO rounds"), _freeze_in),
        "tally_relay": (_relay_steps("voting.tallies"), _seal_in),
        "tally_follower": (_follower_steps("voting.tallies", "INSERT INTO tallies"), _seal_in),
    }
    return {
        f"{way}_{name}_{'after' if answered else 'before'}": _killing(step, answered, play)
        for way, (steps, play) in ways.items()
        for name, step in steps.items()
        for answered in (False, True)
    }


def _killing(step: Step, answered: bool, play: Callable[[Scene, Step, Trap], Awaitable[None]]) -> Play:
    async def act(scene: Scene) -> None:
        await play(scene, step, Trap(step.words, kill_caller, answered=answered, before=step.before))

    return act


async def _freeze_in(scene: Scene, step: Step, trap: Trap) -> None:
    """A round is frozen while the trap stands; everybody hears of it all the same, and votes."""
    async with getattr(scene.stage, step.line).under(trap):
        await scene.freeze_patiently()
        await asyncio.wait_for(trap.sprung.wait(), SPRINGS_WITHIN_S)
    await _go_on(scene)


async def _mend_in(scene: Scene, step: Step, trap: Trap) -> None:
    """An entry of the stream is lost, so that the relay writes all of it anew; in the end it is whole."""
    await scene.open()
    async with getattr(scene.stage, step.line).under(trap), scene.stage.operator() as operator:
        await operator.xdel(ROUNDS, "1-0")
        await asyncio.wait_for(trap.sprung.wait(), SPRINGS_WITHIN_S)
    healed_at = await scene.recorder.moment("the fault ends")
    await scene.until(lambda: _is_whole(scene), 20, "the stream is whole again")
    await scene.recover(healed_at)
    await scene.crowd.arrive(VOTERS, 0.03)
    scene.require_nobody_left()


async def _is_whole(scene: Scene) -> bool:
    async with scene.stage.operator() as operator:
        entries: Any = await operator.xrange(ROUNDS)
    return [int(entry.split(b"-")[0]) for entry, _ in entries] == list(range(1, len(entries) + 1)) and bool(entries)


async def _go_on(scene: Scene) -> None:
    healed_at = await scene.recorder.moment("the fault ends")
    await scene.know_open()
    await scene.recover(healed_at)
    await scene.crowd.arrive(VOTERS, 0.03)
    scene.require_nobody_left()


async def _seal_in(scene: Scene, step: Step, trap: Trap) -> None:
    """The tally is sealed while the trap stands; scoring gets it once, as it was sealed."""
    await scene.open()
    await scene.crowd.arrive(VOTERS, 0.03)
    scene.require_nobody_left()
    async with getattr(scene.stage, step.line).under(trap):
        await scene.close()
        await asyncio.wait_for(trap.sprung.wait(), SPRINGS_WITHIN_S)
    healed_at = await scene.recorder.moment("the fault ends")
    await scene.recover(healed_at, with_ballot=False)

"""Faults of the network: late, cut off, one way only, or silent for good, on each of the three lines of a platform."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from loadtests.chaos.proxy import BlackHole, CutAfter, Delay, HalfOpen, Rule
from loadtests.chaos.scene import Fault, Scene
from loadtests.chaos.traps import Trap, lose_answer

LINES = ("clients", "postgres", "valkey")
# How late, in s, and after how many bytes, a line breaks at most.
DELAYS_S = {"clients": (0.05, 0.4), "postgres": (0.01, 0.12), "valkey": (0.0, 0.15)}
BYTES_MAX = {"clients": 700, "postgres": 4000, "valkey": 2000}
LASTS_S = (1.0, 3.0)
ANSWERS_LOST = 3


def line_faults() -> dict[str, Fault]:
    """Every fault of every line by name, as `postgres_cut_asking`."""
    return {f"{line}_{name}": _under(line, make) for line in LINES for name, make in _rules(line).items()} | {
        "postgres_connections_cut": cut_postgres,
        "postgres_commit_reply_lost": lose_commit_replies,
        "valkey_reply_lost": lose_valkey_replies,
    }


def _rules(line: str) -> dict[str, Callable[[random.Random], Rule]]:
    most = BYTES_MAX[line]
    return {
        "delayed": lambda chance: Delay(chance, *DELAYS_S[line]),
        "cut_asking": lambda chance: CutAfter(True, lambda: chance.randrange(most)),
        "cut_answering": lambda chance: CutAfter(False, lambda: chance.randrange(most)),
        "black_hole_asking": lambda chance: BlackHole(True),
        "black_hole_answering": lambda chance: BlackHole(False),
        "half_open": lambda chance: HalfOpen(),
    }


def _under(line: str, make: Callable[[random.Random], Rule]) -> Fault:
    async def fault(scene: Scene) -> None:
        async with getattr(scene.stage, line).under(make(scene.chance)):
            await asyncio.sleep(scene.chance.uniform(*LASTS_S))

    return fault


async def cut_postgres(scene: Scene) -> None:
    """All connections to PostgreSQL break, three times."""
    for _ in range(3):
        scene.stage.postgres.cut_all()
        await asyncio.sleep(scene.chance.uniform(0.1, 0.5))


async def lose_commit_replies(scene: Scene) -> None:
    """PostgreSQL commits a batch and says so; nobody hears it."""
    await _spring(scene, "postgres", Trap(("record_ballots",), lose_answer, answered=True, times=ANSWERS_LOST))


async def lose_valkey_replies(scene: Scene) -> None:
    """The turnstile has counted and remembered; its answer is lost."""
    await _spring(scene, "valkey", Trap(("EVALSHA",), lose_answer, answered=True, times=ANSWERS_LOST))


async def _spring(scene: Scene, line: str, trap: Trap) -> None:
    async with getattr(scene.stage, line).under(trap):
        await asyncio.wait_for(trap.sprung.wait(), 10)
        await asyncio.sleep(scene.chance.uniform(0.2, 1.0))

"""Faults inside the ledger's own moments: batches that arrive late for the seal, and commits out of order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from loadtests.chaos.proxy import Line, Rule
from loadtests.chaos.scene import GRACE_S, Scene
from services.cli.people import VOTING

OPEN_S, VOTERS, CAUGHT = 5, 10, 12
BEFORE_CLOSE_S = 0.4
# What is held so long is still committed within the grace, or only after the seal.
IN_GRACE_S, PAST_SEAL_S = 1.0, GRACE_S + 2.5

Play = Callable[[Scene], Awaitable[None]]


class LedgerHole(Rule):
    """Batches on their way to the ledger stand still; everything else passes."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def pass_on(self, line: Line, upward: bool, chunk: bytes) -> bytes:
        if upward and any("FROM record_ballots(" in text for text in line.saying):
            await self._over.wait()
        return chunk

    def end(self) -> None:
        self._over.set()


def ledger_plays() -> dict[str, Play]:
    return {"ledger_slow_at_the_close": slow_at_the_close, "ledger_late_for_the_seal": late_for_the_seal}


async def slow_at_the_close(scene: Scene) -> None:
    """Ballots that came in time are committed within the grace: they count, and nobody is refused."""
    await _hold(scene, IN_GRACE_S)
    scene.require_nobody_left()


async def late_for_the_seal(scene: Scene) -> None:
    """The tally is sealed while ballots are still on their way: they change nothing any more."""
    await _hold(scene, PAST_SEAL_S)


async def _hold(scene: Scene, after_close_s: float) -> None:
    await scene.open(OPEN_S)
    await scene.crowd.arrive(VOTERS, 0.03)
    await asyncio.sleep(max(0.0, scene.window[1] - BEFORE_CLOSE_S - time.time()))
    async with scene.stage.postgres.under(LedgerHole()):
        sending = [asyncio.create_task(_send(scene)) for _ in range(CAUGHT)]
        await asyncio.sleep(max(0.0, scene.window[1] + after_close_s - time.time()))
        if after_close_s > GRACE_S:
            await scene.stage.operate("POST", f"{VOTING}/rounds/{scene.round}/seal", {})
    await asyncio.gather(*sending)
    await scene.recover(with_ballot=False)


async def _send(scene: Scene) -> None:
    person = scene.crowd.newcomer("plain")
    outcome = await scene.crowd.send(person)
    person.receipt, person.is_refused = outcome.receipt, outcome.status != 201


async def commits_out_of_order(scene: Scene) -> None:
    """Each batch rests between its rows and its commit, for a while drawn anew: later rows become visible first."""
    async with scene.stage.database("voting") as connection:
        before: str = await connection.fetchval(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE proname = 'record_ballots' AND 'packed' = ANY (proargnames)"
        )
        head, end, tail = before.rpartition("END")
        try:
            await connection.execute(f"{head}    PERFORM pg_sleep(random() * 0.6);\n{end}{tail}")
            await asyncio.sleep(scene.chance.uniform(1.0, 2.0))
        finally:
            await connection.execute(before)

"""Clocks that are an hour off, for the voting workers or for PostgreSQL, around the edges of the window.

Real clocks of real processes, by libfaketime: a file tells the processes how far off they are, so that a clock can jump
while they run. A monotonic clock stays what it is, as on a machine whose time is set.
"""

from __future__ import annotations

import asyncio
import glob
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from loadtests.chaos.scene import Scene

HOUR, HALF, HOUR_S = timedelta(hours=1), timedelta(minutes=30), 3600
# So little behind that a moment after the close would still lie inside the window.
LITTLE_S = 5
# Longer than the pause between two measurements of a clock, so that each fault is noticed by one.
OFF_S = 7.0
OPEN_S = 8
ARRIVALS = 40
LIBRARIES = "/usr/lib/*/faketime/libfaketime.so.1"
# What a clock of the database that runs ahead writes is later than a seal by the right time.
EXCUSED = frozenset({"no ballot was committed after its round was sealed"})

Play = Callable[[Scene], Awaitable[None]]


def library() -> str:
    """Path of Debian's libfaketime, empty where it is not installed."""
    return next(iter(sorted(glob.glob(LIBRARIES))), "")


def clock_plays() -> dict[str, Play]:
    """Every schedule by name; empty without libfaketime."""
    if not library():
        return {}
    return {
        f"{name}_clock_{way}": _off(name, off_s, play)
        for name in ("voting", "postgres")
        for way, off_s, play in (
            ("ahead_while_open", HOUR_S, _while_open),
            ("behind_while_open", -HOUR_S, _while_open),
            ("behind_across_the_close", -HOUR_S, _across_the_close),
            ("ahead_before_opening", HOUR_S, _before_opening),
            ("behind_after_the_close", -LITTLE_S, _after_the_close),
        )
    }


def _off(name: str, off_s: int, play: Callable[[Scene, str, int], Awaitable[None]]) -> Play:
    async def act(scene: Scene) -> None:
        if name == "postgres":
            scene.audit_excused = EXCUSED
        await play(scene, name, off_s)

    return act


@asynccontextmanager
async def movable(scene: Scene, name: str) -> AsyncIterator[Callable[[int], None]]:
    """The process runs under libfaketime; what is yielded sets its clock so many seconds off."""
    file = scene.folder.resolve() / "clock"

    def set_off(seconds: int) -> None:
        aside = file.with_suffix(".new")
        aside.write_text(f"{seconds:+d}\n")
        aside.replace(file)

    set_off(0)
    variables = {
        "LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    before = await scene.stage.restart(name, scene.stage.with_environment(variables))
    await scene.stage.settled()
    try:
        yield set_off
    finally:
        set_off(0)
        await scene.stage.restart(name, lambda _: before)
        await scene.stage.settled()


async def _while_open(scene: Scene, name: str, off_s: int) -> None:
    """Nobody is refused for a window that is open, and no tally is sealed before its time."""
    async with movable(scene, name) as set_off:
        await scene.open()

        async def fault(_: Scene) -> None:
            set_off(off_s)
            await asyncio.sleep(OFF_S)
            set_off(0)

        await scene.vote_through(fault, over_s=OFF_S)
        if not await scene.is_in("open"):
            scene.controls.append("the round is not open any more")


async def _across_the_close(scene: Scene, name: str, off_s: int) -> None:
    """The window ends while the clock is off; who comes afterwards stays outside."""
    async with movable(scene, name) as set_off:
        await scene.open(OPEN_S)
        await scene.crowd.arrive(ARRIVALS // 2, 0.05)
        set_off(off_s)
        await _arrive_past(scene, scene.window[1] + 2.0)
        healed_at = await scene.recorder.moment("the fault ends")
        set_off(0)
        await scene.recover(healed_at, with_ballot=False)


async def _before_opening(scene: Scene, name: str, off_s: int) -> None:
    """The window opens in half an hour; a clock that runs ahead does not open it sooner."""
    now = datetime.now(UTC)
    async with movable(scene, name) as set_off:
        await scene.freeze(None, (_text(now + HALF), _text(now + 2 * HOUR)))
        await scene.know()
        set_off(off_s)
        await _arrive_past(scene, time.time() + OFF_S)
        healed_at = await scene.recorder.moment("the fault ends")
        set_off(0)
        await scene.recover(healed_at, with_ballot=False)
        scene.ends_unopened = True


async def _after_the_close(scene: Scene, name: str, off_s: int) -> None:
    """The window has just ended; a clock that runs a little behind does not open it again."""
    async with movable(scene, name) as set_off:
        await scene.open(OPEN_S)
        await scene.crowd.arrive(ARRIVALS // 4, 0.05)
        await asyncio.sleep(max(0.0, scene.window[1] - time.time()))
        set_off(off_s)
        await _arrive_past(scene, scene.window[1] - off_s)
        healed_at = await scene.recorder.moment("the fault ends")
        set_off(0)
        await scene.recover(healed_at, with_ballot=False)


async def _arrive_past(scene: Scene, until: float) -> None:
    """New people try once each, until a moment has passed; none of them insists."""
    async with asyncio.TaskGroup() as group:
        while time.time() < until:
            group.create_task(scene.crowd.send(scene.crowd.newcomer("plain"), "passing"))
            await asyncio.sleep(scene.chance.uniform(0.05, 0.15))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")

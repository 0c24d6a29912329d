"""That an acknowledgement leaves after the WAL is on disk: shown by the system calls themselves, as strace sees them.

`kill -9` proves nothing about fsync, since the kernel keeps what was written. One strace watches PostgreSQL and the
voting workers at once, so that its lines are in one order; between a ballot's request and its `201` a sync of the WAL
must have begun and ended. Three controls break exactly that and must be noticed.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtests.chaos.disk_faults import has_strace, processes_of, straced
from loadtests.chaos.mutants import ACKNOWLEDGED_EARLY, planting
from loadtests.chaos.scene import Scene
from loadtests.chaos.stage import Stage
from services.cli.embedded.child import ChildSpec

BALLOTS = 20
_CALLS = "trace=fdatasync,fsync,read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg"
_ASKED, _RECORDED = '"POST /api/voting/v1/rounds/', '"HTTP/1.1 201 '
_LINE = re.compile(r"^(\d+) +(.*)$")
_SYNC = re.compile(r"^f(?:data)?sync\(\d+<[^>]*/pg_wal/[^>]*>(.*)$")
_SYNC_ENDED = re.compile(r"^<\.\.\. f(?:data)?sync resumed>.*= 0")


def uncovered(lines: Iterable[str]) -> tuple[int, int]:
    """(acknowledgements seen, those before which no sync of the WAL began and ended since their request was read).

    `lines` as `strace -f -y` writes them, of ballots sent one after the other.
    """
    begun: dict[str, int] = {}
    asked_at, covered, seen, bad = -1, False, 0, 0
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, said = match.groups()
        sync = _SYNC.match(said)
        if sync is not None and "unfinished" in said:
            begun[pid] = number
        elif sync is not None:
            covered = covered or said.rstrip().endswith("= 0")
        elif _SYNC_ENDED.match(said):
            covered = covered or begun.pop(pid, -1) > asked_at
        elif _ASKED in said:
            asked_at, covered = number, False
        elif _RECORDED in said:
            seen += 1
            bad += not covered
    return seen, bad


async def watch(stage: Stage, name: str) -> tuple[int, int]:
    """Ballots one after the other under strace; as `uncovered`."""
    scene = Scene(stage, f"fsync_order_{name}", 1, may_refuse=True, people=BALLOTS)
    async with scene:
        await scene.open()
        trace = (scene.folder / "strace.txt").resolve()
        async with watched([*processes_of(stage.home, "postgres"), *stage.workers()], trace):
            for _ in range(BALLOTS):
                await scene.crowd.insist(scene.crowd.newcomer("plain"))
        return uncovered(trace.read_text("utf-8", "replace").splitlines())


def watched(pids: Sequence[int], trace: Path) -> AbstractAsyncContextManager[None]:
    """strace on these processes and what they fork, into a file that is complete when the block has ended."""
    return straced(pids, "-y", "-s", "40", "-e", _CALLS, "-e", "signal=none", "-o", str(trace))


def _judged(counts: tuple[int, int], *, breaks: bool) -> dict[str, Any]:
    seen, bad = counts
    told = f"{bad} of {seen} acknowledgements left before the WAL was synced"
    return {
        "acknowledged": seen,
        "too_early": bad,
        "as_expected": seen >= BALLOTS and (bad > 0) is breaks,
        "told": told,
    }


async def prove(stage: Stage) -> dict[str, dict[str, Any]]:
    """The platform as it is, and the controls; empty without strace. Leaves the stage as it was."""
    if not has_strace():
        return {}
    found = {"as shipped": _judged(await watch(stage, "as_shipped"), breaks=False)}
    async with changed(stage, "postgres", lambda spec: replace(spec, command=(*spec.command, "--fsync=off"))):
        found["control: fsync off"] = _judged(await watch(stage, "fsync_off"), breaks=True)
    async with lazy_commits(stage):
        found["control: synchronous_commit off"] = _judged(await watch(stage, "lazy_commits"), breaks=True)
    async with planting(stage) as planter:
        await planter.plant(ACKNOWLEDGED_EARLY)
        found["control: acknowledged before the commit"] = _judged(await watch(stage, "early"), breaks=True)
    return found


@asynccontextmanager
async def changed(stage: Stage, name: str, change: Any) -> AsyncIterator[ChildSpec]:
    """A process runs as something else until the block ends."""
    before = await stage.restart(name, change)
    await stage.settled()
    try:
        yield before
    finally:
        await stage.restart(name, lambda _: before)
        await stage.settled()


@asynccontextmanager
async def lazy_commits(stage: Stage) -> AsyncIterator[None]:
    """The voting service's role commits without waiting for the disk."""
    try:
        await _set_commits(stage, "SET synchronous_commit = off")
        yield
    finally:
        await _set_commits(stage, "RESET synchronous_commit")


async def _set_commits(stage: Stage, how: str) -> None:
    async with stage.database("voting") as connection:
        await connection.execute(f"ALTER ROLE voting_app {how}")
    for worker in stage.workers():
        os.kill(worker, 9)
    await stage.settled()

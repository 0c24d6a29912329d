"""Disks that fail: an fsync or a write refused by the kernel's own word, and disks that are really full.

strace attaches to the processes and lets the calls fail (its fault injection); nothing is preloaded, the processes are
the real ones. Full disks are small tmpfs mounts under PostgreSQL's and Valkey's folders, where we may mount.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from loadtests.chaos.scene import Fault, Scene
from services.cli.embedded.home import Home
from services.cli.embedded.processes import servers_working_in

LASTS_S = (0.5, 2.0)
ATTACHED_WITHIN_S = 10.0
DISK_MB = {"postgres": 512, "valkey": 48}
FSYNCS = "fsync,fdatasync"
WRITES = "pwrite64,pwritev,write,fallocate"
FILLER = "filler"


def has_strace() -> bool:
    return shutil.which("strace") is not None


def may_mount() -> bool:
    """Only root may, and not everywhere."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def disk_faults() -> dict[str, Fault]:
    """By name; empty without strace."""
    if not has_strace():
        return {}
    return {
        "postgres_fsync_fails": _refusing("postgres", FSYNCS, "error=EIO"),
        "postgres_writes_fail": _refusing("postgres", "pwrite64,pwritev,fallocate", "error=ENOSPC"),
        "postgres_fsync_slow": _refusing("postgres", FSYNCS, "delay_enter=150000"),
        "valkey_fsync_fails": _refusing("valkey", FSYNCS, "error=EIO"),
        "valkey_fsync_slow": _refusing("valkey", FSYNCS, "delay_enter=150000"),
    }


def small_disk_faults() -> dict[str, Fault]:
    """By name; empty where nothing may be mounted."""
    return {"postgres_disk_full": fill_postgres, "valkey_disk_full": fill_valkey} if may_mount() else {}


def processes_of(home: Home, name: str) -> list[int]:
    """All processes of a server by the folder they work in."""
    folder = home.postgres_data if name == "postgres" else home.valkey
    return [record.pid for record in servers_working_in(folder)]


def tampered(pids: Iterable[int], calls: str, how: str) -> AbstractAsyncContextManager[None]:
    """These processes, and those they fork, find such calls failing or slow until the block ends."""
    return straced(pids, "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:{how}")


@asynccontextmanager
async def straced(pids: Iterable[int], *options: str) -> AsyncIterator[None]:
    """strace on these processes and what they fork, attached before the block begins and gone when it has ended."""
    targets = list(pids)
    process = await asyncio.create_subprocess_exec(
        "strace", "-f", "-qq", *options, *(part for pid in targets for part in ("-p", str(pid))),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(ATTACHED_WITHIN_S):
            while not all(is_traced(pid) for pid in targets):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def is_traced(pid: int) -> bool:
    """Also true for a process that is gone: there is nothing left to wait for."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return True
    return "TracerPid:\t0\n" not in status


def _refusing(name: str, calls: str, how: str) -> Fault:
    async def fault(scene: Scene) -> None:
        async with tampered(processes_of(scene.stage.home, name), calls, how):
            await asyncio.sleep(scene.chance.uniform(*LASTS_S))

    return fault


@asynccontextmanager
async def small_disks(home: Home) -> AsyncIterator[None]:
    """The servers' folders of a home that does not run yet, each a small file system of its own."""
    home.create()
    mounted = []
    try:
        for name, size_mb in DISK_MB.items():
            folder = home.folder / name
            await _run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "chaos", str(folder))
            mounted.append(folder)
        yield
    finally:
        for folder in mounted:
            await _run("umount", "-l", str(folder))


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait() != 0:
        raise OSError(f"{command[0]} failed for {command[-1]}: only root may mount")


def _fill(folder: Path) -> Path:
    filler = folder / FILLER
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


async def fill_postgres(scene: Scene) -> None:
    """No byte is left, and the next WAL file is due: PostgreSQL panics, and cannot start until there is room."""
    filler = await asyncio.to_thread(_fill, scene.stage.home.postgres)
    try:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with scene.stage.database("voting") as connection:
                for _ in range(3):
                    await connection.execute("SELECT pg_logical_emit_message(false, 'chaos', 'x')")
                    await connection.execute("SELECT pg_switch_wal()")
        await asyncio.sleep(scene.chance.uniform(*LASTS_S))
    finally:
        filler.unlink()


async def fill_valkey(scene: Scene) -> None:
    """No byte is left for the append-only file: Valkey refuses every write."""
    filler = await asyncio.to_thread(_fill, scene.stage.home.valkey)
    try:
        await asyncio.sleep(scene.chance.uniform(*LASTS_S) + 1.0)
    finally:
        filler.unlink()

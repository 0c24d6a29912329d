"""What runs on this machine and belongs to a home: found through /proc, so that leftovers of a crash can be ended.

Invariant: a process is ours only by process id *and* start time in the same boot, or by working in a folder of ours
under a server's own name. Nothing is ever ended by name alone.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.cli.embedded.home import Home, PlatformError

PROC = Path("/proc")
SERVER_NAMES = frozenset({"postgres", "valkey-server", "caddy"})


@dataclass(frozen=True)
class ProcessRecord:
    """One process beyond doubt: ids are used again, an id with its start time is not."""

    pid: int
    started_ticks: int


def boot_id() -> str:
    with suppress(OSError):
        return (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    return ""


def record_of(pid: int) -> ProcessRecord | None:
    """The record of a living process, None where there is none (a zombie counts as none)."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] == "Z":
        return None
    return ProcessRecord(pid, int(fields[19]))


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; the second may hold any character."""
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return None


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir(PROC) if name.isdigit()] if PROC.is_dir() else []


def group_members(group: int) -> list[ProcessRecord]:
    found = []
    for pid in _all_pids():
        fields = _stat_fields(pid)
        if fields is not None and fields[0] != "Z" and int(fields[2]) == group:
            found.append(ProcessRecord(pid, int(fields[19])))
    return found


def servers_working_in(folder: Path) -> list[ProcessRecord]:
    """PostgreSQL's and Valkey's processes go to their data folder and stay there, orphans included."""
    found = []
    for pid in _all_pids():
        with suppress(OSError):
            name = (PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()
            here = name in SERVER_NAMES and os.readlink(PROC / str(pid) / "cwd") == str(folder.resolve())
            if here and (record := record_of(pid)) is not None:
                found.append(record)
    return found


def children_of(pid: int) -> list[int]:
    """What a process has started and has not been told the end of; empty where the kernel does not tell."""
    with suppress(OSError):
        return [int(child) for child in (PROC / str(pid) / "task" / str(pid) / "children").read_text("ascii").split()]
    return []


def title_of(pid: int) -> str:
    """What a process calls itself, as `ps` shows it; nothing where it is gone."""
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
    return ""


def alive(records: Iterable[ProcessRecord]) -> list[ProcessRecord]:
    return [record for record in records if record_of(record.pid) == record]


def send(records: Iterable[ProcessRecord], number: signal.Signals) -> None:
    for record in alive(records):
        with suppress(ProcessLookupError):
            os.kill(record.pid, number)
            os.kill(record.pid, signal.SIGCONT)  # a stopped process would hear of it too late


async def _gone(records: list[ProcessRecord], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    # Polled, because the kernel tells a parent only, and these are nobody's children any more.
    while alive(records) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def end(records: list[ProcessRecord], number: signal.Signals, wait_s: float) -> None:
    """Ask with `number`, wait, then insist with SIGKILL; raises PlatformError if one survives even that."""
    for attempt, patience_s in ((number, wait_s), (signal.SIGKILL, 5.0)):
        send(records, attempt)
        await _gone(records, patience_s)
    if left := alive(records):
        raise PlatformError(f"process {left[0].pid} of an earlier run does not end: stop it by hand, then try again")


def remembered(home: Home) -> dict[str, ProcessRecord]:
    """The processes that the last run of this home wrote down, whether or not they live; {} after a reboot."""
    try:
        content = json.loads(home.platform_file.read_text("utf-8"))
        if content["boot_id"] != boot_id():
            return {}
        processes = content["processes"].items()
        return {str(name): ProcessRecord(int(entry["pid"]), int(entry["started_ticks"])) for name, entry in processes}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


async def end_orphans(home: Home) -> list[str]:
    """End what an earlier run left behind, PostgreSQL last and gently; returns the names of what was found.

    Call with the home's lock held: then nobody is in charge of these processes any more.
    """
    ended = []
    for name, record in remembered(home).items():
        if name == "postgres":
            continue
        members = _family(record)
        if members:
            ended.append(name)
            await end(members, signal.SIGTERM, 8.0)
    for name, folder, number in (
        ("valkey", home.valkey, signal.SIGTERM),
        ("caddy", home.caddy, signal.SIGTERM),
        ("postgres", home.postgres_data, signal.SIGINT),
    ):
        if records := servers_working_in(folder):
            ended.append(name)
            await end_server(records, number)
    return ended


def _family(record: ProcessRecord) -> list[ProcessRecord]:
    """The process and its group; where its id was given to another process, nothing is ours any more."""
    now = record_of(record.pid)
    if now is not None and now != record:
        return []
    return [member for member in group_members(record.pid) if member.started_ticks >= record.started_ticks]


async def end_server(records: list[ProcessRecord], number: signal.Signals) -> None:
    """The first process leads: PostgreSQL's others leave by themselves and must not be asked to cancel queries."""
    leader = min(records, key=lambda record: (record.started_ticks, record.pid))
    send([leader], number)
    await _gone(records, 10.0)
    await end(records, signal.SIGKILL, 0.0)

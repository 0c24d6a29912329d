"""CPU time and memory of a contender's servers, read from /proc: whole process trees, the load tool never among them.

Invariant: the CPU of a tree only grows, because a child that ended is counted in its parent (cutime, cstime) from the
moment it is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_US_PER_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    """What we need of /proc/PID/stat; `ticks` is user and system time, of children that ended too."""

    pid: int
    parent: int
    ticks: int


def parse_stat(text: str) -> Stat:
    """One line of /proc/PID/stat (proc_pid_stat(5)); the name in parentheses may hold anything, also `) 1 2`."""
    before, _, after = text.rpartition(")")
    fields = after.split()
    if len(fields) < 15:
        raise ValueError("a line of /proc/PID/stat has at least 17 fields")
    utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    return Stat(int(before.partition(" ")[0]), int(fields[1]), utime + stime + cutime + cstime)


def parse_status_kb(text: str, name: str) -> int:
    """A value such as `VmRSS:  81920 kB` of /proc/PID/status, in kB; 0 where the kernel does not give it."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def all_stats() -> dict[int, Stat]:
    """Every process there is, by its pid."""
    found = {}
    for name in os.listdir(PROC):
        if name.isdigit():
            with suppress(OSError):
                stat = parse_stat((PROC / name / "stat").read_text("utf-8", "replace"))
                found[stat.pid] = stat
    return found


def tree(root: int, stats: Mapping[int, Stat]) -> list[Stat]:
    """The process and everything below it."""
    children: dict[int, list[Stat]] = {}
    for stat in stats.values():
        children.setdefault(stat.parent, []).append(stat)
    found, waiting = [], [stats[root]] if root in stats else []
    while waiting:
        stat = waiting.pop()
        found.append(stat)
        waiting += children.get(stat.pid, [])
    return found


def cpu_us(roots: Mapping[str, int]) -> dict[str, float]:
    """CPU time in µs since their start of the process trees named; raises ProcessLookupError for one that is gone."""
    stats = all_stats()
    used = {}
    for name, root in roots.items():
        members = tree(root, stats)
        if not members:
            raise ProcessLookupError(f"{name} (process {root}) has ended")
        used[name] = sum(stat.ticks for stat in members) * _US_PER_TICK
    return used


def memory_mb(pids: Iterable[int]) -> float:
    """Resident memory of the processes, the largest of them, in MB."""
    sizes = [0]
    for pid in pids:
        with suppress(OSError):
            sizes.append(parse_status_kb((PROC / str(pid) / "status").read_text("utf-8", "replace"), "VmRSS"))
    return max(sizes) / 1024

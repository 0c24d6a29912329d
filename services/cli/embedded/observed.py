"""What the supervisor tells of the processes it keeps: `/metrics` on a loopback port of its own.

Looked up in /proc when somebody asks, so that an unwatched platform pays nothing. Used by `supervisor.py`.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import generate_latest

from services.cli import metrics
from services.cli.embedded.child import Child
from services.cli.embedded.processes import PROC

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a process and its children use: memory in bytes, CPU since each began in s."""

    memory_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class _Process:
    parent: int
    cpu_s: float
    private_bytes: int
    shared_bytes: int


class Observed:
    """The processes of one platform as metrics; `children` tells which there are now."""

    def __init__(self, home: Path, children: Callable[[], Mapping[str, Child]]) -> None:
        self._home, self._children = home, children
        self._cpu_s: dict[str, float] = {}
        self._restarts: dict[str, float] = {}

    async def exposition(self) -> bytes:
        """Prometheus' text format; PostgreSQL's many processes count as one."""
        processes = _processes()
        for name, child in self._children().items():
            usage = usage_of(child.pid, processes) if child.pid is not None else Usage(0, 0.0)
            metrics.embedded_up.labels(name).set(0 if child.pid is None else 1)
            metrics.embedded_memory_bytes.labels(name).set(usage.memory_bytes)
            metrics.embedded_cpu_seconds_total.labels(name).inc(_grown(self._cpu_s, name, usage.cpu_s))
            metrics.embedded_restarts_total.labels(name).inc(_grown(self._restarts, name, child.restarts))
        metrics.embedded_disk_free_bytes.set(shutil.disk_usage(self._home).free)
        return generate_latest(metrics.EMBEDDED)


def _grown(seen: dict[str, float], name: str, value: float) -> float:
    """By how much a figure is more than when it was last looked at; one that fell began anew."""
    before = seen.get(name, 0)
    seen[name] = value
    return value - before if value >= before else value


def usage_of(pid: int, processes: Mapping[int, _Process]) -> Usage:
    """Of a process and whatever descends from it; zeros where it is gone."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for each, process in processes.items():
        children[process.parent].append(each)
    family, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        if each in processes:
            family.append(processes[each])
            waiting += children[each]
    shared = max((each.shared_bytes for each in family), default=0)
    return Usage(sum(each.private_bytes for each in family) + shared, sum(each.cpu_s for each in family))


def _processes() -> dict[int, _Process]:
    """Every process of this machine by id; {} where there is no /proc."""
    found = {}
    for name in os.listdir(PROC) if PROC.is_dir() else []:
        if not name.isdigit():
            continue
        try:
            stat = (PROC / name / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            pages = (PROC / name / "statm").read_text("ascii").split()
        except OSError:
            continue
        # Own time and that of children that have ended: fields 14 to 17 of proc(5), here from the third on.
        cpu_s = sum(int(field) for field in stat[11:15]) / _TICKS_PER_S
        resident, shared = int(pages[1]) * _PAGE_BYTES, int(pages[2]) * _PAGE_BYTES
        found[int(name)] = _Process(int(stat[1]), cpu_s, max(0, resident - shared), shared)
    return found

"""What the whole embedded platform needs while idle: resident memory and CPU of every process.

    python -m loadtests.idle_memory

Starts a platform of its own with the Kunming round open, lets it rest, prints a table and writes
`loadtests/results/idle.json`. Resident memory counts pages shared between processes once each process (RSS) and in
fair shares (PSS); PostgreSQL's processes share their buffers, so PSS is the true sum.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from loadtests.bench.processes import PROC, all_stats, cpu_us, parse_status_kb, tree
from services.cli.client import Client
from services.cli.people import REGISTRY
from services.cli.rounds import read_folder
from services.cli.supervisor import Platform

RESULTS = Path(__file__).parent / "results" / "idle.json"
ROUND = Path(__file__).parents[1] / "deploy" / "rounds" / "kunming-2021"
REST_S = 20.0


def memory_mb(roots: dict[str, int]) -> dict[str, dict[str, float]]:
    """RSS and PSS of the process trees named, in MB."""
    stats, found = all_stats(), {}
    for name, root in roots.items():
        pids = [stat.pid for stat in tree(root, stats)]
        rss = sum(parse_status_kb((PROC / str(pid) / "status").read_text(), "VmRSS") for pid in pids)
        pss = sum(parse_status_kb((PROC / str(pid) / "smaps_rollup").read_text(), "Pss") for pid in pids)
        found[name] = {"processes": len(pids), "rss_mb": round(rss / 1024, 1), "pss_mb": round(pss / 1024, 1)}
    return found


async def measure() -> dict[str, Any]:
    """The table, with the supervisor itself (this process) left out."""
    with tempfile.TemporaryDirectory(prefix="pingxuan-idle-") as home:
        async with Platform(home, database_url="", redis_url="") as platform:
            await platform.ready()
            client = Client(platform.environment)
            answer = client.post(f"{REGISTRY}/rounds", {"files": read_folder(ROUND), "open_for_s": 3600})
            client.close()
            if answer.status != 201:
                raise SystemExit(answer.told)
            await asyncio.sleep(REST_S)
            roots = {name: child.pid for name, child in platform.processes.items() if child.pid}
            before = cpu_us(roots)
            await asyncio.sleep(REST_S)
            after, parts = cpu_us(roots), memory_mb(roots)
    for name, row in parts.items():
        row["cpu_percent_of_one_core"] = round((after[name] - before[name]) / REST_S / 10_000, 2)
    total = {key: round(sum(row[key] for row in parts.values()), 1) for key in next(iter(parts.values()))}
    return {"cores": os.cpu_count(), "rest_s": REST_S, "parts": parts, "total": total}


def main() -> None:
    found = asyncio.run(measure())
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

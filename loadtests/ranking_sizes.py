"""How long a ranking takes, and how much memory, in three sizes that double: both must grow no faster than the round.

    python -m loadtests.ranking_sizes                # 10,000 candidates, 50 experts, 5 criteria, 10 million ballots
    python -m loadtests.ranking_sizes --part 10      # a tenth of that, for a glance

Each size is a bundle of its own, written to a temporary folder and ranked by `pingxuan rank` in a process of its own.
The largest must stay within 60 s and 1 GB, and twice the size within 2.6 times the time. Writes
`loadtests/results/ranking.json` for the full size only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "ranking.json"
CANDIDATES, EXPERTS, CRITERIA, BALLOTS = 10_000, 50, 5, 10_000_000
CHOICES = 3
SECONDS_MAX, MEMORY_MB_MAX, GROWTH_MAX = 60.0, 1_024.0, 2.6

RULES = """schema = 1
[round]
id = "sizes"
[groups]
by = ["level"]
{criteria}
[experts]
aggregate = "trimmed_mean"
trim_low = 1
trim_high = 1
panel_min = 5
aggregate_decimals = 2
component_decimals = 2
[votes]
transform = "t_score_log"
decimals = 2
[combination]
votes = "0.3"
experts = "0.7"
experts_transform = "t_score"
experts_decimals = 2
decimals = 2
tie_break = ["experts", "criteria", "votes"]
"""


def write_round(folder: Path, part: float) -> dict[str, int]:
    """Write a bundle of this part of the full size; marks and picks follow from their numbers, so that runs compare."""
    candidates, ballots = max(20, int(CANDIDATES * part)), int(BALLOTS * part)
    criteria = "".join(f'[[criteria]]\nid = "c{k}"\nweight = "0.2"\nmax = "100"\nstep = "1"\n' for k in range(CRITERIA))
    (folder / "rules.toml").write_text(RULES.format(criteria=criteria), encoding="utf-8")
    _write(folder / "candidates.csv", "candidate,title,unit,channel,category,level", _candidates(candidates))
    _write(folder / "scores.csv", "expert,candidate,criterion,score", _scores(candidates))
    _write(folder / "ballots.csv", "ballot,state,choices,stratum", _ballots(candidates, ballots))
    return {"candidates": candidates, "marks": candidates * EXPERTS * CRITERIA, "ballots": ballots}


def _write(path: Path, header: str, rows: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        file.write(header + "\n")
        file.writelines(rows)


def _candidates(count: int) -> Iterator[str]:
    for k in range(count):
        yield f"P{k:05},project {k},unit {k},channel {k % 20},other,{('major', 'key', 'general')[k % 3]}\n"


def _scores(candidates: int) -> Iterator[str]:
    for expert in range(EXPERTS):
        for k in range(candidates):
            for criterion in range(CRITERIA):
                mark = 40 + (k * 7919 + expert * 104_729 + criterion * 1_299_709) % 61
                yield f"E{expert:02},P{k:05},c{criterion},{mark}\n"


def _ballots(candidates: int, count: int) -> Iterator[str]:
    for number in range(count):
        # The square gathers the picks on the first candidates, as voters do.
        first = (number * 2_654_435_761 % 4_294_967_296 / 4_294_967_296) ** 2
        picks = sorted({(int(first * candidates) + step * step * 37) % candidates for step in range(CHOICES)})
        yield f"{number:09},counted,{' '.join(f'P{pick:05}' for pick in picks)},\n"


def measure(folder: Path) -> dict[str, float]:
    """Rank the bundle in a process of its own; returns its seconds, CPU seconds and largest resident memory."""
    command = [sys.executable, "-m", "services.cli.main", "rank", str(folder), "--out", str(folder / "ranking.csv")]
    begun = time.perf_counter()
    process = os.posix_spawn(command[0], command, dict(os.environ))
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - begun
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("pingxuan rank failed; its reason stands above")
    cpu = usage.ru_utime + usage.ru_stime
    return {"seconds": round(seconds, 2), "cpu_s": round(cpu, 2), "memory_mb": round(usage.ru_maxrss / 1_024, 1)}


def run(part: float) -> list[dict[str, Any]]:
    """Measure a quarter, a half and the whole of this part of the full size."""
    found = []
    for share in (part / 4, part / 2, part):
        with tempfile.TemporaryDirectory(prefix="pingxuan-sizes-") as folder:
            size = write_round(Path(folder), share)
            found.append(size | measure(Path(folder)))
        print("  ".join(f"{name} {value:,}" for name, value in found[-1].items()), flush=True)
    return found


def missed(found: list[dict[str, Any]]) -> list[str]:
    """Return one sentence for each goal that these sizes miss; time and memory are goals of the full size."""
    largest, sentences = found[-1], []
    if largest["seconds"] > SECONDS_MAX:
        sentences.append(f"{largest['seconds']} s instead of at most {SECONDS_MAX}")
    if largest["memory_mb"] > MEMORY_MB_MAX:
        sentences.append(f"{largest['memory_mb']} MB instead of at most {MEMORY_MB_MAX}")
    for smaller, larger in pairwise(found):
        growth = larger["cpu_s"] / smaller["cpu_s"]
        if growth > GROWTH_MAX:
            sentences.append(f"twice the size takes {growth:.2f} times the time instead of at most {GROWTH_MAX}")
    return sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, default=1, help="measure the n-th part of the full size")
    part = parser.parse_args().part
    found = run(1 / part)
    sentences = missed(found)
    if part == 1:
        result = {"cpus": os.cpu_count(), "python": sys.version.split()[0], "sizes": found, "missed": sentences}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for sentence in sentences:
        print(f"missed: {sentence}")
    raise SystemExit(1 if sentences else 0)


if __name__ == "__main__":
    main()

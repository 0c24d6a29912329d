"""`make chaos`: faults over real processes, and a checker that compares what people were told with what stands.

    python -m loadtests.chaos                                # every schedule, 200 runs, planted bugs, fsync order
    python -m loadtests.chaos --only postgres_killed --runs 5
    python -m loadtests.chaos check FOLDER                   # judge a recording again

Starts platforms of its own on loopback and ends by itself. Prints a line a run, writes `loadtests/results/chaos.json`,
and ends with 1 where a promise was broken or a planted bug was not noticed. A series that was interrupted goes on where
it was with `--resume`; recordings of runs with findings stay in the folder that is named.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loadtests.chaos import checker, fsync_order, report
from loadtests.chaos.mutants import MUTANTS
from loadtests.chaos.runs import Journal, Result, open_stage, play_all, play_planted
from loadtests.chaos.schedules import Schedule, schedules

RUNS, RUNS_MAX = 200, 5000
MINUTES_MAX = 120.0
BACKLOG, BACKLOG_MAX = 1_000_000, 5_000_000
FOLDER = Path(".pingxuan/chaos")


def orders(table: dict[str, Schedule], runs: int, first_seed: int) -> Iterator[tuple[Schedule, int]]:
    """Every schedule with the first seed, then every one with the next, until there are enough."""
    count, seed = 0, first_seed
    while count < runs:
        chosen = [each for each in table.values() if seed == first_seed or not each.once]
        if not chosen:
            return
        for schedule in chosen[: runs - count]:
            yield schedule, seed
        count, seed = count + len(chosen), seed + 1


async def play(options: argparse.Namespace, journal: Journal) -> None:
    """All runs that the journal lacks, on one stage for each kind of disk."""
    table = schedules(options.backlog)
    if options.only:
        table = {name: table[name] for name in options.only}
    wanted = [each for each in orders(table, options.runs, options.seed) if not journal.has(each[0].name, each[1])]
    deadline = time.monotonic() + options.minutes_max * 60
    for small in (False, True):
        chosen = [each for each in wanted if each[0].needs_small_disks is small]
        while chosen and time.monotonic() < deadline:
            with tempfile.TemporaryDirectory(prefix="pingxuan-chaos-") as home:
                async with open_stage(
                    options.folder, Path(home) / "home", with_small_disks=small, patience=options.patience
                ) as stage:
                    await play_all(stage, chosen, lambda result: _told(result, journal, options.folder), deadline)
            chosen = [each for each in chosen if not journal.has(each[0].name, each[1])]


async def prove_itself(options: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(the order of fsync with its controls, the planted bugs): that what finds nothing would have found something."""
    table = schedules(options.backlog)
    mutants = [each for each in MUTANTS if each.name in options.bugs or not options.bugs]
    with tempfile.TemporaryDirectory(prefix="pingxuan-chaos-") as home:
        async with open_stage(options.folder / "planted", Path(home) / "home", patience=options.patience) as stage:
            controls = {} if options.bugs else await fsync_order.prove(stage)
            for name, control in controls.items():
                print(f"fsync order, {name}: {control['told']}", flush=True)
            return controls, await play_planted(stage, table, mutants, lambda text: print(text, flush=True))


def _told(result: Result, journal: Journal, folder: Path) -> None:
    journal.add(result)
    print(f"{len(journal.results):>4}  {report.line(result)}", flush=True)
    if result.is_good:
        shutil.rmtree(folder / f"{result.schedule}-{result.seed}".replace("_", "-"), ignore_errors=True)


def check_again(folder: Path) -> int:
    """Judge one recording; the exit code."""
    try:
        findings = checker.check(*checker.load(folder))
    except OSError as error:
        print(f"{folder} holds no run ({error.strerror}): name a folder with {checker.RECORDING}", file=sys.stderr)
        return 2
    for finding in findings:
        print(f"{finding.kind}: {finding.detail}")
    return 1 if findings else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--only", nargs="+", metavar="SCHEDULE", default=[])
    parser.add_argument("--backlog", type=int, default=BACKLOG, help="ballots left to the follower (1000000)")
    parser.add_argument("--minutes-max", type=float, default=MINUTES_MAX)
    parser.add_argument("--patience", type=float, default=1.0, help="stretch every wait, on a machine that is busy")
    parser.add_argument("--resume", action="store_true", help="go on with the series in the folder")
    parser.add_argument("--no-controls", dest="controls", action="store_false", help="no planted bugs, no strace")
    parser.add_argument("--bugs", nargs="+", metavar="NAME", default=[], help="only these planted bugs, no strace")
    parser.add_argument("--list", action="store_true", help="name the schedules and end")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    options = parser.parse_args(arguments)
    if not 0 <= options.runs <= RUNS_MAX or not 1 <= options.backlog <= BACKLOG_MAX:
        parser.error(f"up to {RUNS_MAX} runs and a backlog of 1 to {BACKLOG_MAX} ballots are possible")
    if unknown := [name for name in options.only if name not in schedules(options.backlog)]:
        parser.error(f"there is no schedule {unknown[0]}: see --list")
    return options


async def run(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "journal.jsonl"
    if not options.resume:
        path.unlink(missing_ok=True)
    journal = Journal(path)
    await play(options, journal)
    controls, bugs = await prove_itself(options) if options.controls else ({}, [])
    found = report.report(journal.results, controls, bugs)
    report.write(found, options.out)
    print(report.table(found))
    return 0 if report.holds(found) else 1


def main() -> int:
    if sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
        return check_again(Path(sys.argv[2]))
    options = _options(sys.argv[1:])
    if options.list:
        print("\n".join(schedules(options.backlog)))
        return 0
    return asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())

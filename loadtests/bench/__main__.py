"""`python -m loadtests.bench` (`make bench`): ours beside its peers and its limits, interleaved in one run.

Writes `loadtests/results/bench.json` and `bench.md`. Everything it starts ends with it; nothing but loopback is used.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.bench import machine, ours, report, walk, wrk
from loadtests.bench.contenders import CONTENDERS
from loadtests.bench.figures import Figures
from loadtests.bench.measure import Bench, Plan
from loadtests.bench.profile import profile
from loadtests.bench.stage import Stage
from services.cli.embedded.home import PlatformError

RESULTS = Path(__file__).parents[1] / "results"
MANY_CONNECTIONS = 2000
_SPARE_DESCRIPTORS = 512


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.bench", description="Ballots per second and CPU per ballot, beside peers and limits.",
        epilog="Example: python -m loadtests.bench --rounds 5 --seconds 10 --only ours fastapi_asyncpg",
    )  # fmt: skip
    parser.add_argument("--seconds", type=_positive, default=10.0, help="of each measured stretch (default: 10)")
    parser.add_argument("--rounds", type=_rounds, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", choices=CONTENDERS,
        help=f"measure these contenders only: {', '.join(CONTENDERS)}",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="short side measurements: shows only that everything works"
    )
    parser.add_argument("--profile", action="store_true", help="where the CPU of a ballot goes; writes no results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(given)


def _positive(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 600:
        raise argparse.ArgumentTypeError("seconds are between 1 and 600")
    return value


def _rounds(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError("rounds are between 1 and 100")
    return value


def plan(options: argparse.Namespace) -> Plan:
    seconds = float(options.seconds)
    if options.quick:
        return Plan(seconds, min(1.0, seconds), 0.5)
    return Plan(seconds, max(2.0, seconds / 2), 2.0)


async def run_rounds(bench: Bench, count: int, only: Sequence[str]) -> list[dict[str, Figures]]:
    """Each contender once per round; rounds go forth and back, so that a drift of the machine favours nobody."""
    rounds: list[dict[str, Figures]] = []
    names = [name for name in CONTENDERS if not only or name in only]
    for number in range(count):
        _say(f"round {number + 1} of {count}")
        found: dict[str, Figures] = {}
        for name in names if number % 2 == 0 else reversed(names):
            started = time.monotonic()
            found[name] = await CONTENDERS[name](bench)
            figures = found[name]
            _say(
                f"  {name:17} {figures['ballots_per_s']:9.0f} ballots/s {figures['cpu_us_per_ballot']:8.1f} µs CPU each"
                f"   ({time.monotonic() - started:.0f} s)"
            )
        rounds.append({name: found[name] for name in names})
    return rounds


async def run_once(bench: Bench, *, quick: bool) -> dict[str, Figures]:
    """What needs no peer beside it."""
    once: dict[str, Figures] = {}
    once["voter"] = await walk.cpu_per_voter(bench, 10 if quick else 200)
    _say(f"  a whole voter     {once['voter']['cpu_us_per_voter']:9.0f} µs CPU")
    once[f"connections_{MANY_CONNECTIONS}"] = await ours.many_connections(bench, MANY_CONNECTIONS)
    _say(f"  {MANY_CONNECTIONS} connections  {once[f'connections_{MANY_CONNECTIONS}']['memory_mb']:9.0f} MB")
    once["through_proxy"] = await ours.through_proxy(bench)
    _say(f"  through the proxy {once['through_proxy']['ballots_per_s']:9.0f} ballots/s")
    return once


async def measure(options: argparse.Namespace) -> None:
    wrk.ensure_installed()
    _raise_descriptors()
    _say("starting the platform and loading a round ...")
    async with Stage() as stage:
        bench = Bench(stage, plan(options))
        if options.profile:
            print(await profile(bench))
            return
        rounds = await run_rounds(bench, options.rounds, options.only)
        once = {} if options.only else await run_once(bench, quick=options.quick)
    document = report.results(rounds, once, _about(options, bench.plan))
    report.write(options.results, document)
    print(report.table(document))


def _about(options: argparse.Namespace, chosen: Plan) -> Mapping[str, object]:
    return {
        "machine": machine.machine(),
        "commit": machine.commit(),
        "complete": not (options.quick or options.only),
        "seconds": chosen.seconds,
        "connections": chosen.connections,
        "load_tool": machine.load_tool(),
    }


def _raise_descriptors() -> None:
    """Two thousand connections need more than the usual 1,024 descriptors; the servers inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MANY_CONNECTIONS + _SPARE_DESCRIPTORS
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise wrk.LoadFailed(f"{wanted} open files are needed and {hard} allowed: raise the limit (ulimit -n)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _until_stopped(options: argparse.Namespace) -> None:
    """SIGTERM ends the run as Ctrl-C does: everything that was started is stopped first."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await measure(options)


def main() -> int:
    options = arguments()
    try:
        asyncio.run(_until_stopped(options))
    except PlatformError as error:
        _say(f"bench: {error}")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("bench: stopped; nothing was written")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

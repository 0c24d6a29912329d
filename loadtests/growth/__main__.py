"""`python -m loadtests.growth`: does a ballot cost the same when everything grows, and do the promises hold meanwhile?

Measures 1, 2 and 4 voting processes and 1, 2 and 4 shards; then loses a primary of a Valkey Cluster and the primary of
a PostgreSQL with a synchronous standby under load. Prints a table, writes `loadtests/results/growth.json`, and ends
with 1 where a ratio is above 1.1 or anything acknowledged was lost. Everything it starts ends with it; only loopback
is used.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bench import machine, wrk
from loadtests.bench.measure import Bench, Plan
from loadtests.bench.stage import Stage
from loadtests.growth import failovers, ledger_bytes, scaling
from services.cli.embedded.home import PROJECT_FOLDER, PlatformError

RESULTS = Path(__file__).parents[1] / "results" / "growth.json"
CPU_RATIO_MAX = 1.10
SCALINGS = ("workers", "shards")
LEDGER = "ledger"
FAILOVERS: dict[str, Callable[[Path, float, float], Awaitable[dict[str, float]]]] = {
    "cluster": failovers.lose_a_primary_of_the_cluster,
    "standby": failovers.lose_the_primary_of_the_pair,
}
PARTS = (*SCALINGS, LEDGER, *FAILOVERS)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.growth",
        description="CPU per ballot as processes and shards grow; failovers under load.",
        epilog="Example: python -m loadtests.growth --only workers shards --seconds 6 --rounds 5",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measured stretch (default: 6)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of the ratios (default: 5)")
    parser.add_argument("--per-s", type=float, default=40.0, help="ballots a second during failovers (default: 40)")
    parser.add_argument("--for-s", type=float, default=30.0, help="length of a failover (default: 30)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures go")
    options = parser.parse_args(given)
    if not (1 <= options.seconds <= 600 and 1 <= options.rounds <= 100 and options.per_s > 0 and options.for_s >= 3):
        parser.error("--seconds is 1 to 600, --rounds 1 to 100, --per-s above 0, --for-s at least 3")
    return options


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    wanted = options.only or PARTS
    if set(SCALINGS) & set(wanted):
        wrk.ensure_installed()
    found: dict[str, Any] = {}
    if not FAILOVERS.keys() >= set(wanted):
        async with Stage() as stage:
            if LEDGER in wanted:
                found[LEDGER] = await ledger_bytes.measure(stage)
                _say(f"ledger: {found[LEDGER]}")
            found |= await _measure_scalings(stage, options, [name for name in SCALINGS if name in wanted])
    for name in FAILOVERS:
        if name in wanted:
            found[name] = await _measure_failover(name, options.per_s, options.for_s)
            _say(f"{name}: {found[name]}")
    return found


async def _measure_scalings(stage: Stage, options: argparse.Namespace, chosen: Sequence[str]) -> dict[str, Any]:
    rounds: dict[str, list[Any]] = {name: [] for name in chosen}
    bench = Bench(stage, Plan(options.seconds, options.seconds / 2, 2.0))
    for number in range(options.rounds):
        for name in chosen:
            found = await scaling.measure_round(bench, name, backwards=number % 2 == 1)
            rounds[name].append(found)
            cpu = {form: round(figures["cpu_us_per_ballot"], 1) for form, figures in found.items()}
            _say(f"round {number + 1} of {options.rounds}, {name}: µs of CPU per ballot {cpu}")
    return {name: scaling.summary(each) for name, each in rounds.items()}


async def _measure_failover(name: str, per_s: float, seconds: float) -> dict[str, float]:
    place = PROJECT_FOLDER / ".pingxuan"
    place.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=place))
    for setting, value in failovers.SETTINGS.items():
        os.environ[setting] = value if name == "cluster" or "SHARDS" not in setting else "1"
    try:
        return await FAILOVERS[name](folder, per_s, seconds)
    finally:
        for setting in failovers.SETTINGS:
            os.environ.pop(setting, None)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def holds(found: dict[str, Any]) -> bool:
    """Flat within a tenth, and nothing acknowledged lost or doubled."""
    flat = [
        spread["median"] <= CPU_RATIO_MAX
        for name in SCALINGS
        if name in found
        for spread in found[name]["cpu_ratio"].values()
    ]
    kept = [
        found[name]["lost"] == found[name]["doubled"] == 0 and found[name]["acknowledged"] == found[name]["people"]
        for name in FAILOVERS
        if name in found
    ]
    return all(flat + kept)


def table(found: dict[str, Any]) -> str:
    """For people: one line per form."""
    lines = []
    for name in SCALINGS:
        for form, ratio in found.get(name, {}).get("cpu_ratio", {}).items():
            cpu = found[name]["forms"][form]["cpu_us_per_ballot"]["median"]
            times = f"{ratio['median']:.2f} × one ({ratio['min']:.2f}–{ratio['max']:.2f})"
            lines.append(f"{form} {name:8} {cpu:7.1f} µs a ballot, {times}")
    if LEDGER in found:
        each = found[LEDGER]
        lines.append(
            f"ledger: {each['bytes_per_ballot']:.0f} bytes and {each['wal_bytes_per_ballot']:.0f} of WAL a ballot"
        )
    for name in FAILOVERS:
        if name in found:
            told = found[name]
            lines.append(
                f"{name}: {told['acknowledged']} acknowledged, {told['lost']} lost, {told['doubled']} doubled,"
                f" longest pause {told['longest_pause_s']:.1f} s"
            )
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    options = arguments()
    try:
        found = asyncio.run(measure(options))
    except PlatformError as error:
        _say(f"growth: {error}")
        return 2
    except KeyboardInterrupt:
        _say("growth: stopped; nothing was written")
        return 130
    about = {"machine": machine.machine(), "commit": machine.commit(), "seconds": options.seconds}
    document = {**about, "rounds": options.rounds, "complete": not options.only, **found}
    options.results.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(table(found))
    return 0 if holds(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())

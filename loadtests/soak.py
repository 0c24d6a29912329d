"""A million ballots at a steady pace: does memory grow, do answers get slower, does a follower fall behind?

    python -m loadtests.soak --ballots 1000000 --per-second 1000
    make soak BALLOTS=1000000

Starts a platform of its own on loopback and sends ballots in slices, open loop, each of a person of its own. After
every slice it notes latencies, the memory of each process tree and how far followers were behind meanwhile, and judges
at the end what must stay flat. Prints a table, writes `loadtests/results/soak.json`, and ends with 1 where something
grew or a ballot is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from loadtests.bench.fixed_rate import FixedRate
from loadtests.bench.machine import commit, machine
from loadtests.bench.measure import Running
from loadtests.bench.ours import at_rate, whole_platform
from loadtests.bench.processes import PROC, all_stats, cpu_us, parse_status_kb, tree
from loadtests.bench.stage import PLATFORM_SERVICES, Stage
from loadtests.trend import Bound, Trend, judge
from services.cli.audit import violations
from services.cli.embedded.home import PlatformError
from services.voting.watch_store import tally_lag

RESULTS = Path(__file__).parent / "results" / "soak.json"
BALLOTS_MAX, PER_SECOND_MAX = 5_000_000, 5_000.0
SLICES = 40
# Caches fill up first: addresses, shared buffers, statements. What comes after the first quarter is judged.
WARM_SHARE = 0.25
WATCH_EVERY_S, CAUGHT_UP_WITHIN_S = 1.0, 60.0

# CPU tells of the servers alone, also where something else disturbs the machine and every latency with it.
CPU = Bound(share=0.3, amount=100)
LATENCY = {"p50_ms": Bound(share=0.5, amount=2), "p99_ms": Bound(share=1.0, amount=25)}
# Private memory of a process tree; what PostgreSQL's processes share is bounded by its own setting.
MEMORY = Bound(share=0.1, amount=16)
# Valkey remembers every ballot for two weeks, so that it grows by design: bytes for each ballot.
VALKEY_BYTES_PER_BALLOT_MAX = 400.0
LAG_S_MAX = 5.0


class Slice(msgspec.Struct, frozen=True):
    """One slice: ballots in the ledger after it, answers, CPU per ballot and private memory by process tree, and the
    worst lag in it.

    `tally_lag_entries` are ledger rows that the tally had not taken up, `tally_lag_s` the age of the oldest of them;
    the same of the message streams, the worst over services.
    """

    ballots: int
    answers: FixedRate
    cpu_us_per_ballot: dict[str, float]
    memory_mb: dict[str, float]
    tally_lag_entries: int
    tally_lag_s: float
    stream_lag_entries: int
    stream_lag_s: float


class Lag(msgspec.Struct):
    """The worst that was seen since it was begun."""

    tally_entries: int = 0
    tally_s: float = 0.0
    stream_entries: int = 0
    stream_s: float = 0.0

    def note(self, tally: tuple[int, float], streams: Sequence[tuple[float, float]]) -> None:
        self.tally_entries = max(self.tally_entries, tally[0])
        self.tally_s = max(self.tally_s, tally[1])
        self.stream_entries = max([self.stream_entries, *(int(entries) for entries, _ in streams)])
        self.stream_s = max([self.stream_s, *(seconds for _, seconds in streams)])


class Watch:
    """Asks for lags once a second while the context is open; `begin` starts anew."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.lag = stage, Lag()

    async def __aenter__(self) -> Watch:
        self._connection = await asyncpg.connect(self._stage.environment["VOTING_DATABASE_URL"], command_timeout=30)
        self._http = httpx.AsyncClient(timeout=10, trust_env=False)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._http.aclose()
        await self._connection.close()

    def begin(self) -> None:
        self.lag = Lag()

    async def _run(self) -> None:
        while True:
            self.lag.note(
                await tally_lag(self._connection), [await self._streams(service) for service in PLATFORM_SERVICES]
            )
            await asyncio.sleep(WATCH_EVERY_S)

    async def _streams(self, service: str) -> tuple[float, float]:
        """The worst (entries, seconds) over the streams that a service follows."""
        text = (await self._http.get(self._stage.platform.urls[f"{service}_metrics"])).text
        seen: dict[str, float] = {"follower_lag_entries": 0.0, "follower_lag_seconds": 0.0}
        for family in text_string_to_metric_families(text):
            if family.name in seen:
                seen[family.name] = max([0.0, *(sample.value for sample in family.samples)])
        return seen["follower_lag_entries"], seen["follower_lag_seconds"]


def private_mb(roots: Mapping[str, int]) -> dict[str, float]:
    """Memory that only each process tree has, in MB: what a leak would grow. No shared buffers, no programs."""
    stats, found = all_stats(), {}
    for name, root in roots.items():
        kb = 0
        for stat in tree(root, stats):
            with suppress(OSError):
                kb += parse_status_kb((PROC / str(stat.pid) / "smaps_rollup").read_text("utf-8"), "Pss_Anon")
        found[name] = round(kb / 1024, 2)
    return found


async def send(stage: Stage, running: Running, ballots: int, per_second: float, slices: int) -> list[Slice]:
    """All slices, one after the other."""
    found: list[Slice] = []
    async with Watch(stage) as watch:
        for number in range(slices):
            watch.begin()
            found.append(await _slice(stage, running, watch, ballots / slices, per_second))
            _tell(number + 1, slices, found[-1])
    return found


async def _slice(stage: Stage, running: Running, watch: Watch, ballots: float, per_second: float) -> Slice:
    before = cpu_us(running.roots)
    answers = await at_rate(stage, running.port, per_second, ballots / per_second)
    after, lag = cpu_us(running.roots), watch.lag
    each_us = {name: round((after[name] - before[name]) / max(1, answers.sent), 1) for name in running.roots}
    memory = await asyncio.to_thread(private_mb, running.roots)
    assert running.count is not None
    return Slice(
        await running.count(), answers, each_us, memory, lag.tally_entries, round(lag.tally_s, 3), lag.stream_entries,
        round(lag.stream_s, 3),
    )  # fmt: skip


def _tell(number: int, slices: int, done: Slice) -> None:
    memory = " ".join(f"{name} {mb:.0f}" for name, mb in done.memory_mb.items())
    cpu = " ".join(f"{name} {us:.0f}" for name, us in done.cpu_us_per_ballot.items())
    answers = f"p50 {done.answers.p50_ms:6.1f} p99 {done.answers.p99_ms:7.1f} ms"
    behind = f"tally behind {done.tally_lag_entries:>6} ({done.tally_lag_s:.1f} s)"
    print(f"{number:>3}/{slices} {done.ballots:>9} ballots  {answers}  {behind}  µs: {cpu}  MB: {memory}", flush=True)


def trends(slices: Sequence[Slice], per_second: float) -> list[Trend]:
    """Every figure over the slices after the warm ones. Pure."""
    judged = slices[int(len(slices) * WARM_SHARE) :]
    found = [
        judge(f"latency {name}", "ms", [float(getattr(each.answers, name)) for each in judged], bound)
        for name, bound in LATENCY.items()
    ]
    found += [
        judge(f"CPU of {name} per ballot", "µs", [each.cpu_us_per_ballot[name] for each in judged], CPU)
        for name in ("voting", "postgres", "valkey")
    ]
    found += [
        judge(f"memory of {name}", "MB", [each.memory_mb[name] for each in judged], _memory_bound(name, judged))
        for name in judged[0].memory_mb
    ]
    entries = Bound(amount=LAG_S_MAX * per_second / 2, highest=LAG_S_MAX * per_second)
    seconds = Bound(amount=LAG_S_MAX / 2, highest=LAG_S_MAX)
    for name, unit, bound in (
        ("tally_lag_entries", "rows", entries), ("tally_lag_s", "s", seconds),
        ("stream_lag_entries", "messages", Bound(amount=2, highest=10)), ("stream_lag_s", "s", seconds),
    ):  # fmt: skip
        found.append(judge(name.replace("_", " "), unit, [float(getattr(each, name)) for each in judged], bound))
    return found


def _memory_bound(name: str, judged: Sequence[Slice]) -> Bound:
    if name != "valkey":
        return MEMORY
    sent = judged[-1].ballots - judged[0].ballots
    return Bound(amount=max(MEMORY.amount, sent * VALKEY_BYTES_PER_BALLOT_MAX / 1024**2))


async def measure(ballots: int, per_second: float, slices: int) -> dict[str, Any]:
    """The whole soak on a platform of its own; the ledger, the tally and the audit have the last word."""
    async with Stage() as stage, whole_platform(stage) as running:
        await stage.settle()
        started = time.monotonic()
        found = await send(stage, running, ballots, per_second, slices)
        seconds = time.monotonic() - started
        answered = sum(each.answers.answered - each.answers.refused for each in found)
        assert running.count is not None
        recorded, counted = await running.count(), await _counted(stage, answered)
        broken = len(await violations({"voting": stage.environment["VOTING_DATABASE_URL"]}))
    judged = trends(found, per_second)
    totals = {
        "sent": sum(each.answers.sent for each in found),
        "acknowledged": answered,
        "recorded": recorded,
        "counted": counted,
        "refused": sum(each.answers.refused for each in found),
        "unanswered": sum(each.answers.sent - each.answers.answered for each in found),
        "invariants_broken": broken,
    }
    return {
        "machine": machine(), "commit": commit(), "per_second": per_second, "seconds": round(seconds, 1), **totals,
        "met": holds(totals) and all(each.flat for each in judged),
        "judged_after_share": WARM_SHARE, "trends": msgspec.to_builtins(judged), "slices": msgspec.to_builtins(found),
    }  # fmt: skip


async def _counted(stage: Stage, wanted: int) -> int:
    """Ballots that the tally has taken up, once it had time to."""
    sql = "SELECT coalesce(sum(ballots), 0) FROM turnout WHERE round_number = $1"
    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while (counted := await stage.query("VOTING_DATABASE_URL", sql, stage.facts.number)) < wanted:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    return counted


def holds(totals: Mapping[str, int]) -> bool:
    """Whether every ballot was answered, acknowledged, recorded and counted."""
    same = len({totals[name] for name in ("sent", "acknowledged", "recorded", "counted")}) == 1
    return same and not totals["invariants_broken"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ballots", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=float, default=1000.0)
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not 1000 <= options.ballots <= BALLOTS_MAX or not 10 <= options.per_second <= PER_SECOND_MAX:
        parser.error(f"1000 to {BALLOTS_MAX} ballots at 10 to {PER_SECOND_MAX:.0f} a second are possible")
    if not 4 <= options.slices <= 200 or options.ballots / options.slices < options.per_second:
        parser.error("4 to 200 slices are possible, each of a second at least")
    return options


def main() -> int:
    options = _options()
    try:
        found = asyncio.run(measure(options.ballots, options.per_second, options.slices))
    except PlatformError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    names = ("sent", "acknowledged", "recorded", "counted", "refused", "unanswered", "invariants_broken")
    print(", ".join(f"{name} {found[name]}" for name in names))
    for each in msgspec.convert(found["trends"], list[Trend]):
        print(f"{'flat ' if each.flat else 'GREW '} {each.sentence}")
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())

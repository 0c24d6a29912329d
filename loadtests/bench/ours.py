"""Our own turns: the whole platform with one voting worker and every feature on, and the same without batching.

Called by `contenders.py`. Voters are signed in beforehand; `walk.py` measures the signing in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from loadtests.bench import processes, wrk
from loadtests.bench.fixed_rate import FixedRate
from loadtests.bench.measure import Bench, Running
from loadtests.bench.stage import Stage
from loadtests.bench.wrk import LoadFailed
from services.cli.embedded.caddy import caddy_child
from services.cli.embedded.home import free_port

# Each ballot alone, on as many lanes as the setting allows: batching off, everything else on.
UNBATCHED = {"VOTING_BATCH_MAX": "1", "VOTING_BATCHES_IN_FLIGHT_MAX": "8"}
SHARE_OF_MAXIMUM = 0.7
_FIXED_CONNECTIONS = 128
_IDLE_S = 2.0


@asynccontextmanager
async def whole_platform(stage: Stage) -> AsyncIterator[Running]:
    """Everything the platform runs; all of it is counted, also what has nothing to do with ballots."""
    await stage.forget_limits()
    await stage.services_up()
    try:
        names = ("voting", "postgres", "valkey", "registry", "scoring")
        yield _running(stage, {name: stage.pid(name) for name in names}, stage.port("voting"))
    finally:
        await stage.services_down()


@asynccontextmanager
async def unbatched_platform(stage: Stage) -> AsyncIterator[Running]:
    """The same with another voting service in the place of the platform's."""
    await stage.forget_limits()
    await stage.services_up()
    try:
        await stage.platform.stop_process("voting")
        async with stage.running(stage.voting_variant(UNBATCHED)) as voting:
            pids = {name: stage.pid(name) for name in ("postgres", "valkey", "registry", "scoring")}
            yield _running(stage, {"voting": voting, **pids}, stage.port("voting"))
    finally:
        await stage.services_down()


def _running(stage: Stage, roots: dict[str, int], port: int) -> Running:
    async def count() -> int:
        sql = "SELECT count(*) FROM ballots WHERE round_number = $1"
        return await stage.query("VOTING_DATABASE_URL", sql, stage.facts.number)

    return Running(port, roots, [roots["voting"]], count)


async def ours(bench: Bench) -> dict[str, float]:
    """Accepting, refusing second ballots, one connection, and a fixed rate of 70 % of the maximum just seen."""
    async with whole_platform(bench.stage) as running:
        await bench.stage.settle()
        expected = await bench.warm(running)
        accepted, voters = await bench.accept(running, bench.plan.seconds, per_s=expected)
        figures = accepted.figures()
        refused = await bench.refuse(running, voters, bench.plan.side_seconds, expected)
        figures["duplicates_per_s"] = refused.per_s
        figures["cpu_us_per_duplicate"] = refused.cpu_us_each
        alone, _ = await bench.accept(running, bench.plan.side_seconds, connections=1, per_s=expected)
        figures["p50_ms_at_1_connection"] = alone.load.p50_ms
        rate = SHARE_OF_MAXIMUM * accepted.per_s
        return figures | await fixed_rate(bench, running, rate)


async def ours_unbatched(bench: Bench) -> dict[str, float]:
    """Batching off: throughput at 64 connections and latency alone."""
    async with unbatched_platform(bench.stage) as running:
        await bench.stage.settle()
        expected = await bench.warm(running)
        accepted, _ = await bench.accept(running, bench.plan.seconds, per_s=expected)
        alone, _ = await bench.accept(running, bench.plan.side_seconds, connections=1, per_s=expected)
        return accepted.figures() | {"p50_ms_at_1_connection": alone.load.p50_ms}


async def fixed_rate(bench: Bench, running: Running, rate: float) -> dict[str, float]:
    """Latencies at `rate` ballots per second; all of them must be accepted."""
    seen = await at_rate(bench.stage, running.port, rate, bench.plan.side_seconds)
    if seen.refused or seen.answered < seen.sent:
        raise LoadFailed(
            f"of {seen.sent} ballots at a fixed rate {seen.refused} were refused and {seen.answered} answered"
        )
    return {
        "rate_at_70_percent": rate,
        "p50_ms_at_70_percent": seen.p50_ms,
        "p99_ms_at_70_percent": seen.p99_ms,
        "client_late_p99_ms": seen.late_p99_ms,
    }


async def at_rate(stage: Stage, port: int, rate: float, seconds: float) -> FixedRate:
    """New voters' ballots at `rate` per second from a process of its own; what came back, refusals too."""
    voters = stage.voters.mint(int(rate * seconds))
    await stage.note_verified(stage.voters.verified(voters))
    file = stage.folder / "requests"
    await asyncio.to_thread(wrk.write_requests, file, stage.voters.requests(voters))
    arguments = [str(port), str(file), f"{rate:.1f}", str(seconds), str(_FIXED_CONNECTIONS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.bench.fixed_rate", *arguments, stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), seconds + 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LoadFailed(f"the fixed-rate client ended with {process.returncode}: nothing was measured")
    return msgspec.json.decode(said, type=FixedRate)


async def many_connections(bench: Bench, connections: int) -> dict[str, float]:
    """Memory of a fresh worker under that many connections, all of them voting."""
    async with whole_platform(bench.stage) as running:
        expected = await bench.warm(running)
        stretch, _ = await bench.accept(running, bench.plan.seconds, connections=connections, per_s=expected)
        return {"memory_mb": stretch.memory_mb, "ballots_per_s": stretch.per_s, "p99_ms": stretch.load.p99_ms}


async def through_proxy(bench: Bench) -> dict[str, float]:
    """The same ballots through Caddy, for the record: here the proxy decides what X-Forwarded-For says."""
    stage = bench.stage
    async with AsyncExitStack() as stack:
        direct = await stack.enter_async_context(whole_platform(stage))
        port = free_port(None, set())
        ports = {name: stage.port(name) for name in ("voting", "registry", "scoring")}
        caddy = await stack.enter_async_context(stage.running(caddy_child(stage.home, "127.0.0.1", port, ports)))
        # All come from this machine's one address: as many verified voters are noted there as will vote.
        await stage.note_verified(stage.voters.verified_at("127.0.0.1", bench.plan.per_second_max * 60))
        running = Running(port, {**direct.roots, "caddy": caddy}, direct.workers, direct.count)
        expected = await bench.warm(running)
        stretch, _ = await bench.accept(running, bench.plan.seconds, per_s=expected)
        return stretch.figures()


async def idle_cpu_us_per_s(running: Running) -> dict[str, float]:
    """What each of the servers uses while nobody asks anything of them."""
    before = processes.cpu_us(running.roots)
    await asyncio.sleep(_IDLE_S)
    after = processes.cpu_us(running.roots)
    return {name: (after[name] - before[name]) / _IDLE_S for name in running.roots}

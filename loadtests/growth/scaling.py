"""CPU per ballot with 1, 2 and 4 voting processes, and with 1, 2 and 4 shards: growing must not make a ballot dearer.

Interleaved rounds on the stage of `loadtests.bench`. Voting processes have the same number of connections each,
whatever their number: one that sees fewer ballots at once makes smaller batches, which is not what growing means.
Shards are compared under one load for all forms, that of somebody who needs them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from loadtests.bench import figures
from loadtests.bench.figures import Figures
from loadtests.bench.measure import Bench, Running
from loadtests.bench.stage import Stage

COUNTS = (1, 2, 4)
CONNECTIONS_PER_WORKER = 64
CONNECTIONS_OF_SHARDS = 256


@asynccontextmanager
async def _voting(stage: Stage, workers: int, shards: int) -> AsyncIterator[Running]:
    """The platform with another voting service in the place of its own."""
    stage.shards = shards
    await stage.forget_limits()
    await stage.services_up()
    try:
        await stage.platform.stop_process("voting")
        changes = {"VOTING_WORKERS": str(workers), "VOTING_TURNSTILE_SHARDS": str(shards)}
        async with stage.running(stage.voting_variant(changes)) as voting:
            roots = {"voting": voting, "postgres": stage.pid("postgres"), "valkey": stage.pid("valkey")}

            async def count() -> int:
                sql = "SELECT count(*) FROM ballots WHERE round_number = $1"
                return await stage.query("VOTING_DATABASE_URL", sql, stage.facts.number)

            yield Running(stage.port("voting"), roots, [], count)
    finally:
        stage.shards = 1
        await stage.services_down()


async def measure_one(bench: Bench, workers: int, shards: int, connections: int) -> dict[str, float]:
    """{ballots_per_s, cpu_us_per_ballot, cpu_us_voting, …, p99_ms} of one form."""
    async with _voting(bench.stage, workers, shards) as running:
        await bench.stage.settle()
        warm, _ = await bench.accept(running, bench.plan.warm_s, connections=connections)
        seen, _ = await bench.accept(running, bench.plan.seconds, connections=connections, per_s=warm.per_s)
        return seen.figures()


async def measure_round(bench: Bench, what: str, *, backwards: bool) -> dict[str, Figures]:
    """One round of `workers` or `shards`, forth or back, so that a drift of the machine favours no form."""
    found: dict[str, Figures] = {}
    for count in reversed(COUNTS) if backwards else COUNTS:
        form = (count, 1, CONNECTIONS_PER_WORKER * count) if what == "workers" else (1, count, CONNECTIONS_OF_SHARDS)
        found[str(count)] = await measure_one(bench, *form)
    return {str(count): found[str(count)] for count in COUNTS}


def summary(rounds: Sequence[dict[str, Figures]]) -> dict[str, object]:
    """Medians and spreads per form, and the CPU of each ÷ that of one, round by round."""
    cpu = {name: [found[name]["cpu_us_per_ballot"] for found in rounds] for name in rounds[0]}
    return {
        "forms": {name: figures.spreads([found[name] for found in rounds]) for name in rounds[0]},
        "cpu_ratio": {name: figures.spread(figures.ratios(each, cpu["1"])) for name, each in cpu.items()},
    }

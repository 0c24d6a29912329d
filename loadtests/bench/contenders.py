"""Who is compared: ours, the peers and the limits, each a turn that starts its servers, measures and stops them.

A turn gets the stage with nothing running but PostgreSQL and Valkey, and leaves it so. Called by `__main__.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg

from loadtests.bench import limits, ours, processes
from loadtests.bench.measure import Bench, Running
from loadtests.bench.peers import pgbench
from loadtests.bench.stage import Stage
from loadtests.bench.wrk import LoadFailed
from services.cli.embedded import valkey
from services.cli.embedded.child import ChildSpec
from services.cli.embedded.home import PROJECT_FOLDER, Home, free_port, write_private
from services.cli.embedded.http import http_status
from services.cli.embedded.keys import ensure_keys
from services.shared.redis_client import open_redis

Turn = Callable[[Bench], Awaitable[Mapping[str, float]]]
HOST = "127.0.0.1"
FASTAPI_SCHEMA = Path(__file__).parent / "peers" / "fastapi_schema.sql"
_DURABLE = ("appendfsync everysec", "appendfsync always")
_LEDGER_KEY = "ledger"
_WARM_VOTES = 3000


def _peer(stage: Stage, name: str, application: str, port: int, environment: Mapping[str, str]) -> ChildSpec:
    """An ASGI application of `peers/` on the servers' own uvicorn settings."""

    async def is_ready() -> bool:
        return await http_status(HOST, port, "/ready") == 200

    return ChildSpec(
        name=name,
        command=(
            sys.executable,
            "-m",
            "loadtests.bench.peers.server",
            f"loadtests.bench.peers.{application}",
            str(port),
        ),
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(PROJECT_FOLDER),
            "BENCH_ROUND_FILE": str(stage.write_round_file()),
            **environment,
        },
        log=stage.home.log(name),
        is_ready=is_ready,
    )


@asynccontextmanager
async def fastapi_asyncpg(stage: Stage) -> AsyncIterator[Running]:
    """FastAPI over the platform's PostgreSQL, in a database of its own."""
    url = await stage.ensure_database("bench_fastapi", FASTAPI_SCHEMA.read_text("utf-8"))
    port = free_port(None, set())
    spec = _peer(stage, "fastapi", "fastapi_asyncpg:app", port, {"BENCH_DATABASE_URL": url})
    async with stage.running(spec) as pid:
        yield Running(port, {"fastapi": pid, "postgres": stage.pid("postgres")}, [pid], _rows(url, "ballots"))


def _rows(url: str, table: str) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=120)
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        finally:
            await connection.close()

    return count


@asynccontextmanager
async def litestar_evalsha(stage: Stage) -> AsyncIterator[Running]:
    """Litestar over a Valkey of its own that syncs before it answers."""
    port, taken = free_port(None, set()), {stage.port("voting")}
    server, url = _durable_valkey(stage, free_port(None, taken))
    async with stage.running(server) as valkey_pid:
        redis: Any = open_redis(url, timeout_s=10, connections_max=2, name="bench")

        async def count() -> int:
            return int(await redis.llen(_LEDGER_KEY))

        spec = _peer(stage, "litestar", "litestar_evalsha:app", port, {"BENCH_REDIS_URL": url})
        async with redis, stage.running(spec) as pid:
            yield Running(port, {"litestar": pid, "valkey": valkey_pid}, [pid], count)


def _durable_valkey(stage: Stage, port: int) -> tuple[ChildSpec, str]:
    """The platform's Valkey under another home, with every write synced before its answer."""
    home = Home.at(stage.folder / "evalsha")
    home.create()
    passwords = ensure_keys(home).valkey_passwords
    spec = valkey.valkey_child(home, port, passwords)
    configuration = valkey.configuration(home, port)
    if _DURABLE[0] not in configuration:
        raise RuntimeError("the embedded Valkey no longer says appendfsync everysec: look at this peer again")

    async def prepare() -> None:
        await spec.prepare()
        write_private(home.valkey / "valkey.conf", configuration.replace(*_DURABLE))

    return replace(spec, prepare=prepare), valkey.url("operator", passwords["operator"], port)


def _accepting(start: Callable[[Stage], AbstractAsyncContextManager[Running]]) -> Turn:
    """The turn of a peer that keeps ballots: every ballot of a new voter, each sent once."""

    async def turn(bench: Bench) -> Mapping[str, float]:
        async with start(bench.stage) as running:
            await bench.stage.settle()
            expected = await bench.warm(running)
            stretch, _ = await bench.accept(running, bench.plan.seconds, per_s=expected)
            return stretch.figures()

    return turn


def _echoing(name: str, application: str, *, with_fixed_rate: bool) -> Turn:
    """The turn of a limit that keeps nothing: the same requests, in turn."""

    async def turn(bench: Bench) -> Mapping[str, float]:
        stage, port = bench.stage, free_port(None, set())
        requests = stage.voters.requests(stage.voters.mint(2000))
        async with stage.running(_peer(stage, name, application, port, {})) as pid:
            running = Running(port, {name: pid}, [pid])
            await bench.send(running, requests, bench.plan.warm_s, again=True)
            stretch = await bench.send(running, requests, bench.plan.seconds, again=True)
            figures = stretch.figures()
            if with_fixed_rate:
                figures |= await ours.fixed_rate(bench, running, ours.SHARE_OF_MAXIMUM * stretch.per_s)
            return figures

    return turn


async def pgbench_voter(bench: Bench) -> Mapping[str, float]:
    """BenchBase's Voter by pgbench, checked against the rows it left."""
    stage, plan = bench.stage, bench.plan
    url = await stage.ensure_database("bench_voter", pgbench.SCHEMA.read_text("utf-8"))
    await stage.settle()
    warm = await pgbench.run_pgbench(url, _WARM_VOTES, plan.connections)
    roots, count = {"postgres": stage.pid("postgres")}, _rows(url, "votes")
    rows, before = await count(), processes.cpu_us(roots)
    run = await pgbench.run_pgbench(url, round(warm.per_s * plan.seconds), plan.connections)
    used = processes.cpu_us(roots)["postgres"] - before["postgres"]
    gained = await count() - rows
    if gained != run.transactions:
        raise LoadFailed(f"pgbench ran {run.transactions} votes and {gained} rows were left: nothing was measured")
    return {"ballots_per_s": run.per_s, "cpu_us_per_ballot": used / max(1, gained), "mean_ms": run.latency_ms}


CONTENDERS: Mapping[str, Turn] = {
    "ours": ours.ours,
    "ours_unbatched": ours.ours_unbatched,
    "fastapi_asyncpg": _accepting(fastapi_asyncpg),
    "litestar_evalsha": _accepting(litestar_evalsha),
    "pgbench_voter": pgbench_voter,
    "raw_asgi_echo": _echoing("raw_echo", "echoes:raw_app", with_fixed_rate=True),
    "litestar_echo": _echoing("litestar_echo", "echoes:litestar_app", with_fixed_rate=False),
    "postgres_batches": limits.postgres_batches,
    "valkey_script": limits.valkey_script,
}

"""Faults of processes: killed, stopped, restarted, and what else can happen to PostgreSQL, Valkey and the services."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal

import httpx

from loadtests.chaos.scene import Fault, Scene
from loadtests.chaos.stage import WORKERS
from services.cli.embedded.processes import servers_working_in
from services.cli.people import Citizen, no_cookies

STOPPED_S = (0.5, 4.0)


def process_faults() -> dict[str, Fault]:
    """Every fault by name."""
    return {
        "worker_killed": kill_worker,
        "worker_stopped": stop_worker,
        "voting_killed": _kill("voting"),
        "registry_killed": _kill("registry"),
        "scoring_killed": _kill("scoring"),
        "everything_killed": kill_everything,
        "rolling_restart": restart_rolling,
        "postgres_immediate": _kill("postgres", signal.SIGQUIT),
        "postgres_fast": _kill("postgres", signal.SIGINT),
        "postgres_killed": _kill("postgres"),
        "postgres_backend_killed": kill_backend,
        "postgres_stopped": _stop("postgres"),
        "postgres_connections_terminated": terminate_connections,
        "valkey_killed": _kill("valkey"),
        "valkey_stopped": _stop("valkey"),
        "valkey_away": take_valkey_away,
        "valkey_wiped": wipe_valkey,
        "valkey_script_flushed": flush_scripts,
        "valkey_restored_older": restore_valkey,
        "valkey_out_of_memory": fill_valkey,
        "round_key_missing": lose_round_key,
    }


def _kill(name: str, number: signal.Signals = signal.SIGKILL) -> Fault:
    async def fault(scene: Scene) -> None:
        scene.stage.platform.kill(name, number)

    return fault


def _stop(name: str) -> Fault:
    """The server and all its children stand still for a while."""

    async def fault(scene: Scene) -> None:
        scene.stage.signal_all(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(scene.chance.uniform(*STOPPED_S))
        finally:
            scene.stage.signal_all(name, signal.SIGCONT)

    return fault


async def kill_worker(scene: Scene) -> None:
    os.kill(scene.chance.choice(scene.stage.workers()), signal.SIGKILL)


async def stop_worker(scene: Scene) -> None:
    worker = scene.chance.choice(scene.stage.workers())
    os.kill(worker, signal.SIGSTOP)
    try:
        await asyncio.sleep(scene.chance.uniform(*STOPPED_S))
    finally:
        os.kill(worker, signal.SIGCONT)


async def kill_everything(scene: Scene) -> None:
    """As when the power goes, but for the disk."""
    for name in ("postgres", "valkey", "voting", "registry", "scoring"):
        scene.stage.platform.kill(name)


async def restart_rolling(scene: Scene) -> None:
    """Each worker is asked to end, the next one when there are as many as before again."""
    for worker in scene.stage.workers():
        os.kill(worker, signal.SIGTERM)
        async with asyncio.timeout(20):
            while worker in scene.stage.workers() or len(scene.stage.workers()) < WORKERS:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.05)


async def kill_backend(scene: Scene) -> None:
    """One backend dies while it writes ballots: PostgreSQL restarts all of itself."""
    async with scene.stage.database("voting") as connection:
        pid = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'voting-ledger' ORDER BY pid LIMIT 1"
        )
    if pid in {record.pid for record in servers_working_in(scene.stage.home.postgres_data)}:
        os.kill(pid, signal.SIGKILL)


async def terminate_connections(scene: Scene) -> None:
    """An administrator ends every connection of the voting service, three times."""
    async with scene.stage.database("voting") as connection:
        for _ in range(3):
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'voting_app'"
            )
            await asyncio.sleep(scene.chance.uniform(0.1, 0.5))


async def take_valkey_away(scene: Scene) -> None:
    """Nobody listens at Valkey's port for a while."""
    await scene.stage.platform.stop_process("valkey")
    await asyncio.sleep(scene.chance.uniform(*STOPPED_S))
    await scene.stage.platform.start_process("valkey")


async def wipe_valkey(scene: Scene) -> None:
    """Everything it knew is gone at once: hints, allowances, streams, scripts."""
    async with scene.stage.operator() as operator:
        await operator.flushall()
        await operator.script_flush()


async def flush_scripts(scene: Scene) -> None:
    """Its scripts are gone again and again."""
    async with scene.stage.operator() as operator:
        for _ in range(40):
            await operator.script_flush()
            await asyncio.sleep(0.03)


async def restore_valkey(scene: Scene) -> None:
    """Its file of a moment ago is put back: the newest hints are gone, streams are older than the outboxes."""
    kept = scene.folder / "older"
    shutil.copytree(scene.stage.home.valkey, kept)
    await asyncio.sleep(scene.chance.uniform(0.5, 1.0))
    await scene.stage.platform.stop_process("valkey")
    shutil.rmtree(scene.stage.home.valkey / "appendonlydir")
    shutil.copytree(kept / "appendonlydir", scene.stage.home.valkey / "appendonlydir")
    await scene.stage.platform.start_process("valkey")
    shutil.rmtree(kept)


async def fill_valkey(scene: Scene) -> None:
    """At `maxmemory` every write fails: limits, hints and streams stand still."""
    async with scene.stage.operator() as operator:
        before = str((await operator.config_get("maxmemory"))["maxmemory"])
        await operator.config_set("maxmemory", "1")
        try:
            await asyncio.sleep(scene.chance.uniform(0.5, 2.0))
        finally:
            await operator.config_set("maxmemory", before)


async def lose_round_key(scene: Scene) -> None:
    """The file with the round's key is gone and the workers are new: nobody may become another person by that."""
    key = scene.stage.home.keys / "rounds" / f"{scene.round}.key"
    aside = key.with_suffix(".aside")
    limits = httpx.Limits(max_keepalive_connections=0)
    url = scene.stage.platform.urls["voting"]
    async with httpx.AsyncClient(
        base_url=url, timeout=10, trust_env=False, cookies=no_cookies(), limits=limits
    ) as http:
        citizen = Citizen(http, scene.round)
        await citizen.sign_in()
        await scene.adopt(await citizen.vote(["c1"]), ["c1"])
        key.rename(aside)
        await scene.stage.restart("voting")
        if await _may_sign_in(citizen):
            scene.controls.append("somebody signed in under another key than the one they voted under")
        key.unlink(missing_ok=True)
        aside.rename(key)
        await scene.stage.restart("voting")
        if await _may_sign_in(citizen) and (await citizen.vote(["c2"])).json().get("reason") != "already_voted":
            scene.controls.append("somebody voted twice: before the key was lost, and after")


async def _may_sign_in(citizen: Citizen) -> bool:
    try:
        await citizen.sign_in()
    except httpx.HTTPStatusError:
        return False
    return True

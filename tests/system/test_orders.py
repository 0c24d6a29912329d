"""Services stop and start in any order; what was down catches up; each runs alone."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys

import httpx
import pytest

from services.cli.embedded.home import StartFailed
from tests.support.waiting import wait_until
from tests.system.town import PROJECT, SERVICES, Town, own_environment


async def start(town: Town, name: str) -> None:
    """Start a service; one that does not get ready says itself what it lacks."""
    try:
        await town.platform.start_process(name, 40)
    except StartFailed as error:
        async with httpx.AsyncClient(base_url=town.platform.urls[name], trust_env=False, timeout=10) as http:
            lacks = (await http.get(f"/api/{name}/v1/readyz")).text
        raise AssertionError(f"{error}: {lacks}") from None


@pytest.mark.timeout(150)
@pytest.mark.parametrize("order", list(itertools.permutations(SERVICES)), ids="-".join)
async def test_services_start_in_every_order_and_catch_up(town: Town, order: tuple[str, ...]) -> None:
    """A round is frozen as soon as the registry runs, whatever else is still down; then people vote in it."""
    platform, round_id = town.platform, "order-" + "-".join(name[0] for name in order)
    await asyncio.gather(*(platform.stop_process(name) for name in order))
    for name in order:
        await start(town, name)
        if name == "registry":
            await town.freeze_round(round_id)
    await town.wait_until_open(round_id)
    voters = await town.vote(round_id, ["c2"], 3)
    await town.check_recorded(round_id, voters)
    await town.check_audit()


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_runs_alone_from_the_platforms_file(town: Town, name: str) -> None:
    """`python -m services.voting` needs nothing but PINGXUAN_HOME, and ends cleanly on a signal."""
    platform = town.platform
    await platform.stop_process(name)
    try:
        home = platform.home.folder
        alone = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.{name}", env=own_environment(home), cwd=home,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await wait_until(lambda: answers(platform.urls[name], name), 30, f"{name} alone is ready", 0.1)
        finally:
            alone.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(alone.wait(), 15) == 0
    finally:
        await platform.start_process(name)


async def answers(url: str, name: str) -> bool:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as http:
        try:
            return (await http.get(f"/api/{name}/v1/readyz")).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_without_settings_is_told_in_one_sentence(town: Town, name: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "PINGXUAN_HOME": "nowhere"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{name}", env=environment, cwd=town.platform.home.folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, told = await process.communicate()
    assert process.returncode == 2
    assert told.decode().startswith(f"{name}: {name.upper()}_")
    assert told.decode().count("\n") == 1


async def test_a_service_on_a_taken_port_is_told_in_one_sentence(town: Town) -> None:
    home = town.platform.home.folder
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.scoring", env=own_environment(home), cwd=home,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert "cannot listen on 127.0.0.1:" in told.decode()
    assert told.decode().count("\n") == 1

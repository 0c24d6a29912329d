"""`pingxuan up` as an operator types it: Ctrl-C leaves no process, the second start keeps the data."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import Home
from services.cli.embedded.processes import record_of
from tests.system.town import CANDIDATES, RULES, own_environment

NAMES = {"postgres", "valkey", "registry", "voting", "scoring", "caddy"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


async def run(home: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.main", *arguments, env=own_environment(home), cwd=home.parent,
        stdout=PIPE, stderr=PIPE, start_new_session=True,
    )  # fmt: skip


async def said(process: Process, within_s: float = 60) -> tuple[int, str, str]:
    out, error = await asyncio.wait_for(process.communicate(), within_s)
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def up(home: Path) -> tuple[Process, str]:
    """A started platform and its origin."""
    process = await run(home, "up")
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 90)).decode()
    if not line.startswith("pingxuan is ready"):
        raise AssertionError(line + (await said(process))[2])
    return process, line.split()[-1]


def pids(home: Path) -> dict[str, int]:
    content = json.loads(Home(home).platform_file.read_text("utf-8"))
    return {name: int(entry["pid"]) for name, entry in content["processes"].items()}


async def stop(process: Process, number: signal.Signals = signal.SIGINT) -> None:
    process.send_signal(number)
    assert (await said(process, 30))[0] == 0


@pytest.mark.timeout(240)
async def test_ctrl_c_leaves_no_process_and_the_second_start_keeps_the_data(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "round"
    folder.mkdir()
    (folder / "rules.toml").write_text(RULES.format(id="kept", grace_s=1), encoding="utf-8")
    (folder / "candidates.csv").write_text(CANDIDATES, encoding="utf-8")
    first, _ = await up(home)
    assert (await said(await run(home, "rounds", "load", str(folder), "--open-for", "1h")))[0] == 0
    running = pids(home)
    assert running.keys() == NAMES
    await stop(first)
    assert not [name for name, pid in running.items() if record_of(pid)]
    second, origin = await up(home)
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=10) as http:
        assert (await http.get("/api/voting/v1/rounds/kept/results")).json()["state"] == "open"
    assert (await said(await run(home, "audit")))[:2] == (0, "")
    running = pids(home)
    await stop(second, signal.SIGTERM)
    assert not [name for name, pid in running.items() if record_of(pid)]
    code, out, error = await said(await run(home, "audit"))
    assert (code, out) == (2, "")
    assert error.count("\n") == 1


async def test_a_taken_port_is_one_sentence_and_starts_nothing(tmp_path: Path, taken: int) -> None:
    code, out, error = await said(await run(tmp_path / "home", "up", "--port", str(taken)))
    assert (code, out) == (2, "")
    assert f"port {taken}" in error
    assert "--port" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "home" / "postgres" / "data").exists()


@pytest.mark.timeout(300)
async def test_the_demo_plays_to_its_end_and_the_audit_is_silent_on_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    process, line = await run(home, "demo"), ""
    assert process.stdout is not None
    while not line.startswith("Demo sign-ins"):
        line = (await asyncio.wait_for(process.stdout.readline(), 200)).decode()
        if not line:
            raise AssertionError((await said(process))[2])
    assert (await said(await run(home, "audit")))[0] == 0
    await stop(process)

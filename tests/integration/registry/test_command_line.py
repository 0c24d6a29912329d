"""`pingxuan staff` and `pingxuan rounds` against a registry that runs as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import environment_text, free_port
from services.cli.supervisor import PlatformServers
from tests.integration.registry.conftest import PREFIX, simple_files
from tests.support.databases import Databases
from tests.support.waiting import wait_until


@dataclass
class Shell:
    """A person at a terminal whose output is a pipe."""

    home: Path
    origin: str

    async def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from services.cli.main import main; main()", *arguments,
            env={"PATH": os.environ["PATH"], "PINGXUAN_HOME": str(self.home), "PYTHONPATH": os.getcwd()},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await asyncio.wait_for(process.communicate(typed.encode()), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), said.decode()


@pytest.fixture
async def shell(servers: PlatformServers, databases: Databases, tmp_path: Path) -> AsyncIterator[Shell]:
    database, taken = await databases.clone("registry"), set[int]()
    port, metrics_port = free_port(None, taken), free_port(None, taken)
    origin = f"http://127.0.0.1:{port}"
    known = {
        **servers.environment,
        "REGISTRY_DATABASE_URL": database.app_url,
        "REGISTRY_OWNER_DATABASE_URL": database.owner_url,
        "REGISTRY_PORT": str(port),
        "REGISTRY_METRICS_PORT": str(metrics_port),
        "PUBLIC_ORIGIN": origin,
    }
    (tmp_path / "platform.env").write_text(environment_text(known))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.registry",
        env={"PATH": os.environ["PATH"], "PINGXUAN_HOME": str(tmp_path)}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await wait_until(lambda: _ready(origin), 30, "the registry is ready")
        yield Shell(tmp_path, origin)
    finally:
        process.terminate()
        # uvicorn gives itself the signal again after a clean stop.
        assert await asyncio.wait_for(process.wait(), 15) in (0, -signal.SIGTERM)


async def _ready(origin: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{origin}{PREFIX}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


async def test_accounts_from_the_command_line(shell: Shell) -> None:
    code, password, said = await shell.run("staff", "add", "wang", "--role", "expert", "--role", "auditor")
    assert (code, said) == (0, "")
    async with httpx.AsyncClient(trust_env=False, base_url=shell.origin) as client:
        body = {"username": "wang", "password": password.strip()}
        assert (await client.post(f"{PREFIX}/sessions", json=body)).status_code == 201
    assert (await shell.run("staff", "add", "li", "--role", "expert", "--password-stdin", typed="a long secret\n"))[
        0
    ] == 0
    code, out, _ = await shell.run("staff", "list")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["li", "platform", "wang"]
    assert "a long secret" not in out
    code, out, _ = await shell.run("staff", "disable", "wang")
    assert (code, out) == (0, "wang is disabled\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["staff", "add", "x y", "--role", "expert"], "bad_staff"),
        (["staff", "add", "xu", "--role", "king"], "king"),
        (["staff", "disable", "nobody"], "unknown_staff"),
        (["rounds", "close", "nothing"], "unknown_round"),
        (["rounds", "status", "nothing"], "unknown_round"),
        (["rounds", "publish", "small", "ann", "ann"], "two different people"),
        (["rounds", "publish", "small", "ann", "bob"], "ann is no active account"),
        (["rounds", "load", "/nowhere"], "rules.toml is missing"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence_and_exit_2(shell: Shell, arguments: list[str], says: str) -> None:
    code, out, said = await shell.run(*arguments)
    assert (code, out) == (2, "")
    assert says in said
    assert len(said.strip().splitlines()) == 1


async def test_every_mistake_of_a_round_is_shown(shell: Shell, tmp_path: Path) -> None:
    files = simple_files()
    folder = tmp_path / "round"
    folder.mkdir()
    (folder / "rules.toml").write_text(files["rules.toml"] + "[surprise]\n")
    (folder / "candidates.csv").write_text(files["candidates.csv"].replace("c2,", "c1,"))
    code, out, said = await shell.run("rounds", "load", str(folder))
    assert (code, out) == (2, "")
    assert "rules.toml:" in said
    assert "candidates.csv:3:" in said
    assert "Traceback" not in said

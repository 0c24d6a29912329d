"""The runbook's commands, typed in their order into one shell, each with what its reader should see.

In deploy/README.md a block marked `console` holds lines that begin with `$ ` and, under each, its output; `…` stands
for what differs from time to time, alone on a line for any number of lines. Between the chapters people vote.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import free_port
from services.cli.people import Citizen, no_cookies
from tests.system.conftest import TUNED
from tests.system.town import PROJECT, own_environment

RUNBOOK = PROJECT / "deploy" / "README.md"
_BLOCK = re.compile(r"^## ([^\n]+)$|^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITHIN_S = 120
# The command itself; `up` only keeps away from the ports of other platforms on this machine.
_COMMAND = """import sys
if sys.argv[1:2] == ["up"]:
    import pytest
    from tests.system.town import use_own_ports
    use_own_ports(pytest.MonkeyPatch())
from services.cli.main import main
main()
"""


@dataclass(frozen=True)
class Step:
    """A command and what is written under it."""

    command: str
    expected: tuple[str, ...]


def chapters() -> dict[str, list[Step]]:
    """The runbook's commands by chapter, in their order."""
    found: dict[str, list[Step]] = {}
    heading = ""
    for match in _BLOCK.finditer(RUNBOOK.read_text("utf-8")):
        heading = match[1] or heading
        if match[2]:
            found.setdefault(heading, []).extend(_steps(match[2]))
    return found


def _steps(block: str) -> list[Step]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert parts[0] == "", "a block begins with a command"
    return [Step(lines[0], tuple(lines[1:])) for lines in (part.rstrip("\n").split("\n") for part in parts[1:])]


@dataclass
class Shell:
    """One bash in a folder of its own; the runbook's port stands for a free one."""

    folder: Path
    port: int
    process: Process
    typed: list[str] = field(default_factory=list)
    _count: int = 0

    async def play(self, steps: list[Step]) -> None:
        for step in steps:
            await self.type(step)

    async def type(self, step: Step) -> None:
        """Type a command and compare; who is asked to repeat it repeats it."""
        pattern = _pattern([self._here(line) for line in step.expected])
        said, code = await self._typed(step, pattern)
        while (asked := re.search(r"; repeat in (\d+) s ", said)) and code:
            await asyncio.sleep(int(asked[1]))
            said, code = await self._typed(step, pattern)
        seen = f"$ {step.command}\n{said}\nexit {code}, expected:\n" + "\n".join(step.expected)
        assert pattern.fullmatch(_ended(said)), seen
        self.typed.append(step.command)

    async def _typed(self, step: Step, pattern: re.Pattern[str]) -> tuple[str, int]:
        """What a command says, and its exit code; what runs in the background may say its lines later."""
        command = self._here(step.command)
        self._count += 1
        mark = f"--- {self._count} ended"
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\nended=$?; echo; echo '{mark}' $ended\n".encode())
        said, code = await self._until(mark)
        return (await self._later(said, pattern) if command.endswith("&") else said), code

    def _here(self, text: str) -> str:
        return text.replace("8000", str(self.port))

    async def _until(self, mark: str) -> tuple[str, int]:
        lines: list[str] = []
        while True:
            line = await self._line()
            if line.startswith(mark):
                return "\n".join(lines).strip("\n"), int(line.rpartition(" ")[2])
            lines.append(line)

    async def _later(self, said: str, pattern: re.Pattern[str]) -> str:
        with suppress(TimeoutError):
            while not pattern.fullmatch(_ended(said)):
                said = f"{said}\n{await self._line()}".strip("\n")
        return said

    async def _line(self) -> str:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), WITHIN_S)
        assert line, "the shell has ended"
        return line.decode().rstrip("\n")

    async def set(self, name: str, value: str) -> None:
        """A variable that the reader of the runbook would fill in."""
        await self.type(Step(f"{name}='{value}'", ()))


def _ended(said: str) -> str:
    return said + "\n" if said else ""


def _pattern(expected: list[str]) -> re.Pattern[str]:
    """`…` inside a line is anything, alone on a line any lines."""
    lines = [r"[\s\S]*?" if line == "…" else re.escape(line).replace("…", "[^\n]*") + r"\n" for line in expected]
    return re.compile("".join(lines))


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    (tmp_path / "deploy").symlink_to(PROJECT / "deploy")
    command = tmp_path / ".venv" / "bin" / "pingxuan"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable}\n{_COMMAND}", "utf-8")
    command.chmod(0o755)
    port = free_port(random.SystemRandom().randrange(20_000, 31_000), set())
    environment = own_environment(tmp_path, LC_ALL="C.UTF-8") | TUNED
    del environment["PINGXUAN_HOME"]
    process = await asyncio.create_subprocess_exec(
        "bash", "--norc", cwd=tmp_path, env=environment, stdin=PIPE, stdout=PIPE, stderr=STDOUT, limit=1 << 20
    )
    running = Shell(tmp_path, port, process)
    await running.type(Step("set -m", ()))
    yield running
    with suppress(OSError, ValueError, KeyError):
        supervisor = json.loads((tmp_path / ".pingxuan" / "run" / "platform.json").read_text("utf-8"))["supervisor"]
        os.kill(supervisor, signal.SIGTERM)
    assert process.stdin is not None
    process.stdin.write(b"wait\nexit\n")
    await asyncio.wait_for(process.communicate(), 30)


async def voter(http: httpx.AsyncClient, round_id: str) -> tuple[Citizen, str]:
    """Somebody who has voted, with the receipt."""
    citizen = Citizen(http, round_id)
    await citizen.sign_in()
    answer = await citizen.vote(["S1"])
    assert answer.status_code == 201, answer.text
    return citizen, str(answer.json()["receipt"])


@pytest.mark.timeout(420)
async def test_every_command_of_the_runbook_does_what_it_says(shell: Shell) -> None:
    runbook = chapters()
    for chapter in ("Start and stop", "Accounts", "Hold a round", "A rehearsal round"):
        await shell.play(runbook.pop(chapter))
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{shell.port}", timeout=15, trust_env=False, cookies=no_cookies(), limits=limits
    ) as http:
        for _ in range(3):
            _, receipt = await voter(http, "small")
        await shell.set("RECEIPT", receipt)
        for chapter in ("Hold ballots", "After an outage", "Scale", "Rotate keys"):
            await shell.play(runbook.pop(chapter))
        early, _ = await voter(http, "small-rehearsal-1")
        await asyncio.sleep(1.1)  # the moment that the runbook notes has whole seconds
        *before, note = runbook.pop("Back up")
        await shell.play([*before, note])
        late, _ = await voter(http, "small-rehearsal-1")
        # A hint travels to Valkey with the next batch.
        assert (await late.vote(["S2"])).json()["reason"] == "already_voted"
        await shell.play(runbook.pop("Restore"))
        assert (await early.vote(["S2"])).json()["reason"] == "already_voted"
        # This ballot came after the moment: it is undone, and what Valkey remembers of it counts for nothing.
        assert (await late.vote(["S2"])).status_code == 201
    for chapter in ("Rebuild Valkey", "Count and publish", "Archive", "Retire"):
        await shell.play(runbook.pop(chapter))
    assert runbook == {}, "every chapter was played"

"""Helpers of these tests: waiting for a condition, and programs run the way an operator runs them."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cli.embedded.home import PROJECT_FOLDER, Home

HERE = Path(__file__).parent


async def wait_until(predicate: Callable[[], bool], timeout_s: float, description: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not predicate():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {description}"
        await asyncio.sleep(0.05)


def run_program(name: str, *arguments: str, prefix: tuple[str, ...] = (), **variables: str) -> "subprocess.Popen[str]":
    """Start a script of this folder in a session of its own; it talks on standard output, errors beside it."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_HOME"))}
    environment |= {"PYTHONPATH": str(PROJECT_FOLDER), **variables}
    return subprocess.Popen(
        [*prefix, sys.executable, str(HERE / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def run_up(home: Path, *options: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    return run_program("up_with_small_services.py", "--home", str(home), *options, prefix=prefix)


def wait_for_line(program: "subprocess.Popen[str]", beginning: str) -> None:
    assert program.stdout is not None
    assert program.stderr is not None
    line = program.stdout.readline()
    assert line.startswith(beginning), line + program.stderr.read()


def platform_file(home: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Home(home).platform_file.read_text("utf-8"))
    return content


def pids(home: Path) -> dict[str, int]:
    return {name: int(entry["pid"]) for name, entry in platform_file(home)["processes"].items()}


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent's look counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""The load tool: Debian's wrk with prepared requests, each sent once, on loopback only and for a bounded time.

Used by every contender that speaks HTTP. wrk's own summary is for people; the script `requests.lua` prints ours.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import msgspec

from services.cli.embedded.home import PlatformError

SCRIPT = Path(__file__).with_name("requests.lua")
INSTALLER = Path(__file__).parents[1] / "install-wrk"
_MARK = "bench: "
_READY = b"bench is ready\n"
_LAST_RESORT_S = 20


class LoadFailed(PlatformError):
    """The load tool could not measure what it was asked to."""


class Load(msgspec.Struct, frozen=True):
    """What wrk saw: `refused` answers have a status of 400 or more, `broken` ones are no answers at all."""

    sent: int
    answered: int
    refused: int
    broken: int
    exhausted: bool
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def accepted(self) -> int:
        return self.answered - self.refused


def ensure_installed() -> None:
    """Find wrk or install it; raises LoadFailed, one sentence, where that is impossible."""
    if shutil.which("wrk"):
        return
    done = subprocess.run([str(INSTALLER)], stdout=None, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0 or not shutil.which("wrk"):
        words = (done.stderr or "").strip().splitlines()
        raise LoadFailed(words[-1] if words else "wrk is missing: install Debian's package wrk")


def parse_output(text: str) -> Load:
    """The line of `requests.lua` in wrk's output; raises LoadFailed where there is none."""
    for line in text.splitlines():
        if line.startswith(_MARK):
            try:
                return msgspec.json.decode(line[len(_MARK) :], type=Load)
            except msgspec.DecodeError as error:
                raise LoadFailed(f"wrk printed a summary that cannot be read: {error}") from None
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
    raise LoadFailed(f"wrk printed no summary; its last words: {last[:200]}")


def write_requests(path: Path, requests: list[bytes]) -> None:
    """The file as wrk's script and the fixed-rate client take it."""
    path.write_bytes(b"\0".join(requests))


def read_requests(path: Path) -> list[bytes]:
    return [request for request in path.read_bytes().split(b"\0") if request]


async def drive(
    port: int, requests: Path, *, seconds: float, drain_s: float, connections: int, again: bool = False
) -> Load:
    """Send the prepared requests for `seconds` from one thread over `connections`; returns what came back.

    `drain_s` is left for the answers on their way when the sending ends; wrk ends by itself somewhat later, always.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{int(seconds + drain_s) + _LAST_RESORT_S}s", "--timeout", "15s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *command, "again" if again else "once", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), _LAST_RESORT_S)
        if first == _READY:
            await asyncio.sleep(seconds + drain_s)
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        rest = await asyncio.wait_for(process.stdout.read(), _LAST_RESORT_S)
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return parse_output((first + rest).decode("utf-8", "replace"))

"""One load run: make the scene, let locust play the people in a process of its own, compare the ledger, judge.

Bounded in people and seconds, and over when its time is over, whatever happens. Called by `__main__.py` and by the
test that does the same in small.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from loadtests.load import goals, verdict
from loadtests.load.loopback import require_loopback
from loadtests.load.record import Report
from loadtests.load.scene import SCENE_VARIABLE, Order, Scene, prepare
from loadtests.load.verdict import Verdict
from services.cli.embedded.home import PROJECT_FOLDER, PlatformError
from services.cli.people import VOTING
from services.cli.supervisor import Platform

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
PEOPLE_MAX, SECONDS_MAX = 2000, 3600.0
# The phones' work is not what is measured: it would only slow this one machine that plays all of them.
TUNED = {"VOTING_CHALLENGE_COST": "10"}
_LEAVING_S = 15.0
_LAST_RESORT_S = 60.0


class RunFailed(PlatformError):
    """Nothing was measured; the message says why."""


async def run(platform: Platform, order: Order, wanted: goals.Goals, folder: Path) -> Verdict:
    """Play the order against a ready platform; reports and `verdict.json` stand in `folder` afterwards."""
    require_loopback(platform.urls["origin"])
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pingxuan-load-") as private:
        record_file, scene_file = Path(private) / "record.json", Path(private) / "scene.json"
        async with _locust(platform.urls["origin"], order, scene_file, folder) as people:
            # Locust starts while the scene is made, and waits for it.
            scene = await prepare(platform, order, record_file)
            scene.write(scene_file)
            await _ended(people, scene)
        report = _read(record_file, folder)
    never = verdict.compare(report, await verdict.ledger_of(platform, scene.round, await _candidates(scene)))
    never["invariants_broken"] = await verdict.broken_invariants(platform)
    found = verdict.findings(report, never)
    result = verdict.verdict_of(order, report, found, goals.judge(wanted, found))
    text = msgspec.json.format(msgspec.json.encode(result), indent=2)
    (folder / "verdict.json").write_bytes(text + b"\n")
    return result


def _command(origin: str, order: Order, folder: Path) -> list[str]:
    leaving_s = min(_LEAVING_S, order.seconds / 4)
    command = [
        sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--host", origin,
        "--stop-timeout", f"{leaving_s:.0f}", "--html", str(folder / "report.html"), "--csv", str(folder / "requests"),
        "--csv-full-history", "--only-summary", "--loglevel", "WARNING",
    ]  # fmt: skip
    if not order.watch_port:
        return [*command, "--headless"]
    web = ["--web-host", "127.0.0.1", "--web-port", str(order.watch_port)]
    return [*command, *web, "--autostart", "--autoquit", "1"]


def _environment(scene_file: Path) -> Mapping[str, str]:
    """Ours, without settings of locust's that somebody may have set for other tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {**kept, SCENE_VARIABLE: str(scene_file), "PYTHONPATH": str(PROJECT_FOLDER)}


@asynccontextmanager
async def _locust(origin: str, order: Order, scene_file: Path, folder: Path) -> AsyncIterator[Process]:
    """The people's process; leaving the context ends it."""
    with (folder / "locust.log").open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            *_command(origin, order, folder), cwd=folder, env=_environment(scene_file), stdout=told, stderr=told,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _ended(people: Process, scene: Scene) -> None:
    """Wait for the end of the run; raises RunFailed where it does not come."""
    left_s = scene.starts_at - time.time() + scene.order.seconds
    try:
        async with asyncio.timeout(left_s + _LEAVING_S + _LAST_RESORT_S):
            await people.wait()
    except TimeoutError:
        raise RunFailed("locust did not end in time: try fewer people") from None


def _read(record_file: Path, folder: Path) -> Report:
    try:
        report = msgspec.json.decode(record_file.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        raise RunFailed(f"locust ended without a report: read {folder / 'locust.log'}") from None
    if report.exceptions:
        (folder / "exceptions.txt").write_text("\n\n".join(report.exceptions), "utf-8")
    return report


async def _candidates(scene: Scene) -> dict[int, str]:
    async with httpx.AsyncClient(base_url=scene.origin, timeout=30, trust_env=False) as http:
        facts = (await http.get(f"{VOTING}/rounds/{scene.round}")).raise_for_status().json()
    return {int(card["number"]): str(card["candidate"]) for card in facts["candidates"]}

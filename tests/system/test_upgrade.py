"""Versions side by side: the voting service of before the newest migration, on the schema of after it, beside today's.

A rolling upgrade migrates first, then replaces workers one by one: meanwhile ballots reach either version.
"""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.cli.embedded.home import free_port
from services.cli.embedded.service import service_environment
from services.cli.people import VOTING, no_cookies
from tests.support.waiting import wait_until
from tests.system.town import PROJECT, Town, Voter

ROUND = "upgrade"
MIGRATIONS = PROJECT / "services" / "voting" / "migrations"


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, check=True).stdout


@pytest.fixture
def code_before(tmp_path: Path) -> Path:
    """The tree from just before the newest migration of the voting service."""
    newest = max(MIGRATIONS.glob("*.sql"))
    try:
        added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest.relative_to(PROJECT)))
        tree = git("archive", f"{added.decode().strip()}^", "services")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the versions of before are in Git's history, which this copy lacks")
    with tarfile.open(fileobj=io.BytesIO(tree)) as packed:
        packed.extractall(tmp_path, filter="data")
    assert not (tmp_path / newest.relative_to(PROJECT)).exists()
    return tmp_path


@pytest.fixture
async def before(town: Town, code_before: Path) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    """A worker of that version, on the platform's own servers; it may not migrate."""
    environment, taken = service_environment("voting", town.platform.environment), set[int]()
    port, metrics_port = free_port(None, taken), free_port(None, taken)
    environment |= {
        "VOTING_PORT": str(port), "VOTING_METRICS_PORT": str(metrics_port), "VOTING_WORKERS": "1",
        "VOTING_OWNER_DATABASE_URL": "", "PYTHONPATH": str(code_before),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.voting", cwd=code_before, env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=15, trust_env=False, cookies=no_cookies()
        ) as http:

            async def ready() -> bool:
                assert process.returncode is None, "the version of before does not start on this schema"
                try:
                    return (await http.get(f"{VOTING}/readyz")).status_code == 200
                except httpx.HTTPError:
                    return False

            await wait_until(ready, 60, "the version of before is ready", 0.2)
            yield http, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 20)


async def answered(voter: Voter, way: httpx.AsyncClient) -> httpx.Response:
    """What this version says in the end: a worker that has not heard of the round yet asks to repeat."""
    for _ in range(200):
        answer = await voter.send(way, ROUND)
        if answer is not None and answer.status_code < 500:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("the ballot was not answered in time")


async def insist(voter: Voter, ways: list[httpx.AsyncClient]) -> None:
    """As behind a proxy: whoever gets no answer from one worker asks the next; nothing but a receipt or 5xx is told."""
    for attempt in range(200):
        answer = await voter.send(ways[attempt % len(ways)], ROUND)
        if voter.receipt:
            return
        assert answer is None or answer.status_code >= 500, answer.text
        await asyncio.sleep(0.05)
    raise AssertionError("the ballot was not acknowledged in time")


async def test_ballots_go_on_while_versions_change(
    town: Town, before: tuple[httpx.AsyncClient, asyncio.subprocess.Process]
) -> None:
    """Each version repeats and refuses what the other recorded; stopping the old one loses and refuses nothing."""
    old, process = before
    await town.load_round(ROUND)

    async def known() -> bool:
        answer = await old.get(f"{VOTING}/rounds/{ROUND}/results")
        return answer.status_code == 200 and answer.json()["state"] == "open"

    await wait_until(known, 20, "the version of before knows the round", 0.1)
    ways = [old, town.http]
    voters = await town.voters(ROUND, ["c1", "c3"], 60)
    for place, voter in enumerate(voters[:12]):
        await insist(voter, [ways[place % 2]])
        again = await answered(voter, ways[1 - place % 2])
        assert again.status_code == 200, again.text
        second = await answered(Voter(voter.token, ["c2"]), ways[1 - place % 2])
        assert second.json()["reason"] == "already_voted"
    trickle = []
    for place, voter in enumerate(voters[12:]):
        if place == 16:
            process.send_signal(signal.SIGTERM)
        trickle.append(asyncio.create_task(insist(voter, ways if place % 2 else ways[::-1])))
        await asyncio.sleep(0.025)  # the pace of arrival, not a wait for something
    await asyncio.gather(*trickle)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    await town.check_recorded(ROUND, voters)
    await town.check_audit()

"""`pingxuan export` and `rounds preview` against the running service.

The published bundle is whole, checked, and never written over another file; a preview says who would move.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from services.cli.client import PLATFORM_ACCOUNT
from services.cli.supervisor import PlatformServers
from services.shared.messages import REGISTRY_STAFF, StaffMessage
from services.shared.ranking.bundle import rank_bundle, read_bundle
from services.shared.ranking.ranking import ranking_csv
from services.shared.web import Edge
from tests.integration.scoring.conftest import Scoring, account, agree, scored_rules
from tests.support.waiting import wait_until


@pytest.fixture
async def served(
    office: Scoring, servers: PlatformServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scoring]:
    """The service on a real port, where the command looks for it; one round is sealed and scored."""
    await office.add_round(scored_rules())
    await office.add_tally({"c1": 5, "c2": 3, "c3": 1})
    await office.score("xu", "c1", "90", "80")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    monkeypatch.setenv("PINGXUAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PUBLIC_ORIGIN", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("STAFF_SIGNING_KEY_FILE", servers.environment["STAFF_SIGNING_KEY_FILE"])
    server = uvicorn.Server(uvicorn.Config(Edge(office.app), lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await wait_until(lambda: server.started, 10, "the service listens")
    yield office
    server.should_exit = True
    await serving


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    told: str


async def run(*arguments: str, command: tuple[str, ...] = ("export",)) -> Ended:
    program = Path(sys.executable).with_name("pingxuan")
    process = await asyncio.create_subprocess_exec(
        program, *command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return Ended(process.returncode or 0, output.decode())


async def publish(office: Scoring) -> bytes:
    await office.call("POST", "/rounds/small/rankings", "ann")
    await office.call("POST", "/rounds/small/rankings/1/confirmations", "bob")
    return (await office.call("GET", "/rounds/small/rankings/1.csv")).content


async def test_nothing_is_written_before_publication(served: Scoring, tmp_path: Path) -> None:
    result = await run("small", "--out", str(tmp_path / "b.zip"))
    assert (result.code, "nothing is published" in result.told) == (2, True)
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.parametrize("name", ["bundle.zip", "folder"])
async def test_the_bundle_is_written_and_ranks_to_the_published_bytes(
    served: Scoring, tmp_path: Path, name: str
) -> None:
    csv = await publish(served)
    path = tmp_path / name
    result = await run("small", "--out", str(path))
    assert result.code == 0, result.told
    assert ranking_csv(rank_bundle(read_bundle(path))) == csv
    again = await run("small", "--out", str(path))
    assert (again.code, "exists already" in again.told) == (2, True)


async def add_platform(served: Scoring) -> None:
    """The account that commands act for."""
    platform: StaffMessage = account(PLATFORM_ACCOUNT, "administrator")
    await served.send(
        REGISTRY_STAFF,
        StaffMessage(PLATFORM_ACCOUNT, PLATFORM_ACCOUNT, "", platform.roles, False, platform.not_before, 1),
    )


async def test_a_preview_tells_who_would_move_and_why(served: Scoring) -> None:
    await add_platform(served)
    await publish(served)
    body = {"expert": "xu", "reason": "录入错误"}
    await agree(served, await served.call("POST", "/rounds/small/sheets/c1/reopenings", "ann", json=body))
    refused = await run("small", command=("rounds", "preview"))
    assert (refused.code, "xu on c1" in refused.told, refused.told.count("\n")) == (2, True, 1)
    await served.score("xu", "c1", "10", "10")
    result = await run("small", command=("rounds", "preview"))
    head, *rows = result.told.splitlines()
    assert (result.code, head) == (0, "small: version 1 → 2, because of the sheets; 0 move")
    assert [row.split() for row in rows] == [["level=major", "1", "→", "1", "-52.50", "项目1", "(marks)"]]


async def test_auditors_see_user_names_also_before_publication(served: Scoring, tmp_path: Path) -> None:
    await add_platform(served)
    await served.call("POST", "/rounds/small/rankings", "ann")
    result = await run("small", "--auditor", "--out", str(tmp_path / "auditor"))
    assert result.code == 0, result.told
    assert "xu,c1,effect,80" in (tmp_path / "auditor" / "scores.csv").read_text("utf-8")


async def test_an_unknown_round_is_one_sentence(served: Scoring, tmp_path: Path) -> None:
    result = await run("none", "--out", str(tmp_path / "b.zip"))
    assert result.code == 2
    assert result.told.count("\n") == 1
    assert "unknown_round" in result.told

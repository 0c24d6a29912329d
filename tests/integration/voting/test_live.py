"""Live state: told on change to everybody who may watch, never more than turnout to the public, and always ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.cli.supervisor import PlatformServers
from services.shared import live, metrics
from services.shared.tokens import LIFETIME
from tests.integration.voting.conftest import Voting
from tests.integration.voting.office import BASE, Office
from tests.support.local_server import listening
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

WATCH = {"accept": "text/event-stream"}
PUBLIC = {"state", "opens", "closes", "turnout", "hours"}


@pytest.fixture
def settings_changes() -> dict[str, object]:
    return {"live_streams_max": 4}


@pytest.fixture
async def server(voting: Voting) -> AsyncIterator[httpx.AsyncClient]:
    await voting.add_round(round_message(rules_text()))
    async with listening(voting.application) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield http


class Watcher:
    """What a browser's EventSource makes of a stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def event(self) -> tuple[str, Any]:
        """(name, data) of the next event."""
        name, data = "message", ""
        async for line in self._lines:
            if not line and data:
                return name, msgspec.json.decode(data) if data[:1] in "{0123456789" else data
            field, _, value = line.partition(": ")
            name, data = (value, data) if field == "event" else (name, value if field == "data" else data)
        raise EOFError

    async def state(self, wanted: Any = None) -> Any:
        """The next state, or the first in which `wanted` holds."""
        while True:
            name, data = await asyncio.wait_for(self.event(), 10)
            if name == "message" and (wanted is None or wanted(data)):
                return data

    async def end(self) -> str:
        while True:
            name, data = await asyncio.wait_for(self.event(), 10)
            if name == "end":
                return str(data)


@asynccontextmanager
async def watching(http: httpx.AsyncClient, path: str, token: str = "") -> AsyncIterator[Watcher]:
    headers = {**WATCH, **({"cookie": f"px_staff={token}"} if token else {})}
    async with http.stream("GET", f"{BASE}{path}", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert "no-transform" in answer.headers["cache-control"]
        yield Watcher(answer)


async def test_the_public_watches_turnout_and_nothing_else(voting: Voting, server: httpx.AsyncClient) -> None:
    """Told at once and on every change; sealed and even published counts are never in it."""
    async with watching(server, "/live") as watcher:
        name, now_ms = await watcher.event()
        assert name == "beat"
        assert abs(now_ms / 1000 - datetime.now(UTC).timestamp()) < 5
        assert (await watcher.state())["turnout"] == 0
        citizen = voting.citizen()
        await citizen.sign_in()
        await citizen.vote(["c1"])
        told = await watcher.state(lambda state: state["turnout"] == 1)
        assert (set(told), told["state"], [hour["voters"] for hour in told["hours"]]) == (PUBLIC, "open", [1])
        assert datetime.fromisoformat(told["hours"][0]["hour"]).minute == 0
        now = datetime.now(UTC)
        over = rules_text(opens=now - timedelta(hours=1), closes=now - timedelta(minutes=5))
        await voting.add_round(round_message(over, version=2))
        assert set(await watcher.state(lambda state: state["state"] == "sealed")) == PUBLIC
        await voting.add_round(msgspec.structs.replace(round_message(over, version=3), ranking_version=1))
        assert set(await watcher.state(lambda state: state["state"] == "published")) == PUBLIC
        assert set((await server.get(f"{BASE}/live")).json()) == PUBLIC


async def test_those_on_duty_watch_until_their_token_or_account_ends(
    voting: Voting, server: httpx.AsyncClient, servers: PlatformServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(voting, servers)
    await office.add("ann")
    await office.add("hal", role="helper")
    assert (await server.get(f"{BASE}/state", headers=WATCH)).status_code == 401
    helper = {**WATCH, "cookie": f"px_staff={office.token('hal')}"}
    assert (await server.get(f"{BASE}/state", headers=helper)).status_code == 403

    soon_over = office.token("ann", datetime.now(UTC) - LIFETIME + timedelta(seconds=2))
    async with watching(server, "/state", soon_over) as watcher:
        assert (await watcher.state())["ballots"]["recorded"] == 0
        assert await watcher.end() == "token"

    monkeypatch.setattr(live, "BEAT_S", 0.3)
    async with watching(server, "/state", office.token("ann")) as watcher:
        await watcher.state()
        await voting.context.pool.execute("UPDATE staff SET disabled = true WHERE staff = 'ann'")
        assert await watcher.end() == "token"


async def test_streams_are_bounded_and_leave_room_for_those_on_duty(
    voting: Voting, server: httpx.AsyncClient, servers: PlatformServers
) -> None:
    """Beyond the limit: 503 with when to come back, and the state without a stream; all end with the process."""
    office = Office(voting, servers)
    await office.add("ann")
    async with (
        watching(server, "/live") as one,
        watching(server, "/live") as other,
        watching(server, "/state", office.token("ann")) as duty,
    ):
        for watcher in (one, other, duty):
            await watcher.state()
        full = await server.get(f"{BASE}/live", headers=WATCH)
        assert (full.status_code, full.json()["reason"]) == (503, "unavailable")
        assert int(full.headers["retry-after"]) > 0
        assert (await server.get(f"{BASE}/live")).json()["turnout"] == 0
        assert _open() == (2, 1)
        live.end_streams()
        assert [await watcher.end() for watcher in (one, other, duty)] == ["leaving"] * 3
    await wait_until(lambda: _open() == (0, 0), 5, "no stream is counted any longer")


async def test_what_cannot_be_read_is_told_as_old(
    voting: Voting, server: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(server, "/live") as watcher:
        await watcher.state()
        with monkeypatch.context() as patch:
            patch.setattr(voting.context.rounds, "get", lambda _: None)
            while (told := await asyncio.wait_for(watcher.event(), 10))[0] != "stale":
                pass
            assert told == ("stale", 1)
        while (told := await asyncio.wait_for(watcher.event(), 10))[0] != "stale":
            pass
        assert told == ("stale", 0)


def _open() -> tuple[float, float]:
    """Streams counted by the metric: of the public, of staff."""
    public, staff = (metrics.live_streams.labels(audience.value)._value.get() for audience in
                     (live.Audience.PUBLIC, live.Audience.STAFF))  # fmt: skip
    return public, staff

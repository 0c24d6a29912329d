"""The town in which a whole round is played: the three services, one clock that all of them read, and their callers.

The clock stands in the autumn of 2020 and jumps forward, so that fifteen months pass within a minute; everything else
is as it always is: real PostgreSQL, real Valkey, streams between the services, calls through their HTTP interfaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.cli.audit import violations
from services.cli.people import REGISTRY, SCORING, VOTING
from services.shared.clock import Clock
from services.shared.tokens import StaffSigner
from tests.integration.registry.conftest import Registry
from tests.integration.scoring.conftest import Scoring
from tests.integration.voting.conftest import Voting
from tests.support.waiting import wait_until

KUNMING = ZoneInfo("Asia/Shanghai")
LOOPS_WITHIN_S = 60


def at(text: str) -> datetime:
    """A moment of Kunming's time, such as `2020-10-01 00:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=KUNMING)


@dataclass
class TownClock:
    """What every clock in town shows: the real time, shifted."""

    shift: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def go_to(self, text: str) -> None:
        """Let time pass until a second after this moment; it never runs backwards."""
        moment = at(text) + timedelta(seconds=1)
        assert moment > self.now(), f"{text} has passed"
        self.shift = moment - datetime.now(UTC)


@pytest.fixture
def town_clock(monkeypatch: pytest.MonkeyPatch) -> TownClock:
    """A Tuesday of September 2020, for the services' clocks and for the library that checks the age of tokens."""
    clock = TownClock(at("2020-09-01 10:00") - datetime.now(UTC))
    # `now` is told by `timestamp`: shifting both would shift twice.
    real_timestamp = Clock.timestamp

    class TownDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now().astimezone(tz)

    monkeypatch.setattr(Clock, "timestamp", lambda each: real_timestamp(each) + clock.shift.total_seconds())
    monkeypatch.setattr("jwt.api_jwt.datetime", TownDatetime)
    return clock


@dataclass
class Town:
    """Everybody outside the platform; `""` is a caller who is not signed in."""

    clock: TownClock
    http: dict[str, httpx.AsyncClient]
    signer: StaffSigner
    database_urls: dict[str, str]

    async def call(self, actor: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Any call; staff carry a token of five minutes as their session would give them."""
        headers = dict(more.pop("headers", {}))
        if actor:
            token, _ = self.signer.sign(actor, actor, [], self.clock.now())
            headers["authorization"] = f"Bearer {token}"
        http = self.http[path.split("/")[2] if path.startswith("/api/") else "registry"]
        http.cookies.clear()
        return await http.request(method, path, json=body, headers=headers, **more)

    async def get(self, actor: str, path: str) -> Any:
        """The answer's body; the test ends here where the call is refused."""
        return _taken(await self.call(actor, "GET", path))

    async def post(self, actor: str, path: str, body: Any = None, **more: Any) -> Any:
        return _taken(await self.call(actor, "POST", path, body, **more))

    async def put(self, actor: str, path: str, body: Any) -> Any:
        return _taken(await self.call(actor, "PUT", path, body))

    async def attach(self, actor: str, path: str, content: bytes, **fields: str) -> str:
        """Hand in a PDF; the attachment's id."""
        files = {"file": ("材料.pdf", content, "application/pdf")}
        kept = await self.post(actor, f"{path}/attachments", files=files, data=fields)
        return str(kept["attachment"])

    async def paper(self, actor: str, path: str) -> bytes:
        """A printed document."""
        answer = await self.call(actor, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def refused(self, actor: str, method: str, path: str, body: Any = None, *, status: int, reason: str) -> None:
        """A call that must be refused with this status and this word."""
        answer = await self.call(actor, method, path, body)
        told = answer.status_code, "" if answer.is_success else answer.json()["reason"]
        assert told == (status, reason), f"{method} {path}: {answer.status_code} {answer.text[:500]}"

    async def until(self, actor: str, path: str, holds: Callable[[Any], bool], description: str) -> Any:
        """The answer to a read once it is as wanted: messages travel, loops take their turn."""
        found: Any = None

        async def there() -> bool:
            nonlocal found
            answer = await self.call(actor, "GET", path)
            found = answer.json() if answer.is_success else None
            return found is not None and holds(found)

        await wait_until(there, LOOPS_WITHIN_S, description, 0.1)
        return found

    async def until_audited(self) -> None:
        """Return once `pingxuan audit` would be silent: the log's newest entries are chained within a second."""
        found: Any = None

        async def silent() -> bool:
            nonlocal found
            found = await violations(self.database_urls)
            return not found

        await wait_until(silent, 5, "the invariants hold", 0.5)
        assert found == []


def _taken(answer: httpx.Response) -> Any:
    request = answer.request
    assert answer.is_success, f"{request.method} {request.url.path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


@pytest.fixture
def town(town_clock: TownClock, registry: Registry, voting: Voting, scoring: Scoring) -> Town:
    assert (REGISTRY, VOTING, SCORING) == ("/api/registry/v1", "/api/voting/v1", "/api/scoring/v1")
    running: dict[str, Registry | Voting | Scoring] = {"registry": registry, "voting": voting, "scoring": scoring}
    return Town(
        town_clock,
        {name: each.http for name, each in running.items()},
        registry.signer,
        {name: each.database.app_url for name, each in running.items()},
    )

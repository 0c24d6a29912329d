"""A scoring service in this process on real PostgreSQL and Valkey, fed through the real streams, and its staff."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from services.scoring.app import build_litestar
from services.scoring.desk import Desk
from services.scoring.settings import ScoringSettings
from services.shared.keys import derive, seal
from services.shared.messages import (
    REGISTRY_ROUNDS,
    REGISTRY_STAFF,
    VOTING_TALLIES,
    CriterionText,
    ExclusionCount,
    Message,
    RoundEvent,
    RoundMessage,
    StaffMessage,
    TallyContent,
    TallyMessage,
    VoteCount,
    encode,
)
from services.shared.outbox import heartbeat_key
from services.shared.settings import read_secret
from services.shared.tokens import StaffSigner
from services.shared.web import Edge
from tests.support.databases import Database, Databases
from tests.support.rounds import round_message
from tests.support.waiting import wait_until

PREFIX = "/api/scoring/v1"
CRITERIA = ("innovation", "effect")


def scored_rules(
    round_id: str = "small",
    *,
    opens: datetime | None = None,
    closes: datetime | None = None,
    votes: str = "0.3",
    experts: str = "0.7",
    more: str = "",
) -> str:
    """rules.toml of a round with two criteria whose scoring is open now unless told otherwise."""
    start = opens or datetime.now(UTC) - timedelta(minutes=5)
    end = closes or datetime.now(UTC) + timedelta(minutes=30)
    criteria = "".join(
        f'[[criteria]]\nid = "{name}"\ntitle = "{name.title()}"\nweight = "0.5"\nmin = "0"\nmax = "100"\nstep = "0.5"\n'
        for name in CRITERIA
    )
    return (
        f'schema = 1\n[round]\nid = "{round_id}"\ntitle = "小评选"\ntimezone = "Asia/Shanghai"\n'
        f"[windows]\nscoring = {{ opens = {start.isoformat(timespec='seconds')}, "
        f"closes = {end.isoformat(timespec='seconds')} }}\n{criteria}"
        f'[groups]\nby = ["level"]\n[votes]\ntransform = "linear_to_max"\ndecimals = 2\n'
        f'[combination]\nvotes = "{votes}"\nexperts = "{experts}"\ndecimals = 2\n{more}'
    )


def account(username: str, *roles: str, version: int = 1) -> StaffMessage:
    before = datetime.now(UTC) - timedelta(hours=1)
    return StaffMessage(f"id-{username}", username, f"姓名{username}", list(roles), False, before, version)


@dataclass
class Scoring:
    """The running service and everybody who talks to it."""

    app: Litestar
    database: Database
    http: httpx.AsyncClient
    redis: Redis
    signer: StaffSigner
    tally_key: bytes
    sent: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        desk: Desk = self.app.state.desk
        return desk

    async def send(self, stream: str, *messages: Message, heard_at: datetime | None = None) -> None:
        """Publish as another service's relay would, and wait until it is applied."""
        before = self.sent.get(stream, 0)
        number = self.sent[stream] = before + len(messages)
        at = (heard_at or datetime.now(UTC)).isoformat()
        await self.redis.hset(heartbeat_key(stream), mapping={"n": number, "at": at})
        for n, message in enumerate(messages, start=before + 1):
            await self.redis.xadd(stream, {"body": encode(message)}, id=f"{n}-0")
        query = "SELECT n FROM stream_checkpoints WHERE stream = $1 AND complete_at IS NOT NULL"

        async def applied() -> bool:
            return bool(await self.desk.pool.fetchval(query, stream) == number)

        await wait_until(applied, 10, f"message {number} of {stream} is applied")

    async def add_round(
        self, rules: str, *, count: int = 3, experts: list[str] | None = None, **more: Any
    ) -> RoundMessage:
        texts = [CriterionText(name, f"怎样评{name}", ["90 以上：很好"]) for name in CRITERIA]
        message = round_message(rules, count=count)
        self.versions[message.round] = self.versions.get(message.round, 0) + 1
        changes = {"version": self.versions[message.round], "criteria": texts, "experts": experts or [], **more}
        message = msgspec.structs.replace(message, **changes)
        await self.send(REGISTRY_ROUNDS, message)
        return message

    async def add_staff(self, username: str, *roles: str, version: int = 1, **more: Any) -> None:
        await self.send(REGISTRY_STAFF, msgspec.structs.replace(account(username, *roles, version=version), **more))

    async def add_tally(
        self, votes: dict[str, int], round_id: str = "small", version: int = 1, events: Sequence[RoundEvent] = ()
    ) -> TallyContent:
        content = TallyContent(
            round=round_id,
            counts=[VoteCount(candidate, "", count) for candidate, count in votes.items()],
            exclusions=[ExclusionCount("同一地址集中投票", "c1", "2020-10-23", 4)],
            ballots=sum(votes.values()),
            excluded=4,
            turnout=sum(votes.values()) + 4,
            events=list(events),
        )
        plain = msgspec.json.encode(content)
        sealed = seal(self.tally_key, plain, round_id.encode())
        message = TallyMessage(round_id, version, sha256(plain).hexdigest(), datetime.now(UTC), sealed)
        await self.send(VOTING_TALLIES, message)
        return content

    def headers(self, username: str, *roles: str) -> dict[str, str]:
        token, _ = self.signer.sign(f"id-{username}", username, list(roles), datetime.now(UTC))
        return {"authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, username: str = "", **more: Any) -> httpx.Response:
        """A call under the API prefix, signed by `username` where given."""
        headers = {**(self.headers(username) if username else {}), **more.pop("headers", {})}
        return await self.http.request(method, f"{PREFIX}{path}", headers=headers, **more)

    async def score(self, expert: str, candidate: str, *marks: str, round_id: str = "small") -> None:
        """Save a whole sheet and submit it."""
        path = f"/rounds/{round_id}/sheets/{candidate}"
        body = {"marks": dict(zip(CRITERIA, marks, strict=True))}
        saved = await self.call("PUT", path, expert, json=body)
        assert saved.status_code == 200, saved.text
        submitted = await self.call("POST", f"{path}/submit", expert)
        assert submitted.status_code == 200, submitted.text


async def agree(office: Scoring, proposed: httpx.Response, by: str = "bob", round_id: str = "small") -> httpx.Response:
    """Confirm what somebody else proposed."""
    assert proposed.status_code == 201, proposed.text
    number = proposed.json()["proposal"]
    confirmed = await office.call("POST", f"/rounds/{round_id}/proposals/{number}/confirmations", by)
    assert confirmed.status_code == 201, confirmed.text
    return confirmed


def scoring_settings(servers: PlatformServers, database: Database) -> ScoringSettings:
    environment = servers.environment
    return ScoringSettings(
        port=1,
        metrics_port=1,
        database_url=database.app_url,
        redis_url=environment["SCORING_REDIS_URL"],
        web_secret_file=environment["SCORING_WEB_SECRET_FILE"],
        staff_public_key_file=environment["STAFF_PUBLIC_KEY_FILE"],
        tally_key_file=environment["TALLY_KEY_FILE"],
    )


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """The service started and stopped by one task, which a fixture's set-up and tear-down are not."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    ended = asyncio.create_task(started.wait())
    await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        stop.set()
        ended.cancel()
        await task


@pytest.fixture
async def scoring(servers: PlatformServers, databases: Databases, operator_redis: Redis) -> AsyncIterator[Scoring]:
    database = await databases.clone("scoring")
    app = build_litestar(scoring_settings(servers, database))
    signer = StaffSigner(read_secret(servers.environment["STAFF_SIGNING_KEY_FILE"], "the signing key"))
    tally_key = derive(read_secret(servers.environment["TALLY_KEY_FILE"], "the tally key"), "tallies")
    async with running(app):
        transport = httpx.ASGITransport(app=Edge(app), client=("127.0.0.1", 5000))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Scoring(app, database, client, operator_redis, signer, tally_key)


@pytest.fixture
async def office(scoring: Scoring) -> Scoring:
    """The service with two experts, two administrators and an auditor."""
    people = {"xu": "expert", "li": "expert", "ann": "administrator", "bob": "administrator", "eve": "auditor"}
    await scoring.send(REGISTRY_STAFF, *(account(username, role) for username, role in people.items()))
    return scoring

"""The ledger and the turnstile against reference models: whatever batches come, they agree with a few lines of code."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.cli.supervisor import PlatformServers
from services.shared.redis_client import open_redis
from services.voting.admission import Accepted, Outcome, Refused
from services.voting.entry import Entry
from services.voting.reasons import Reason
from services.voting.settings import Limits
from services.voting.shards import Hint, Memory, person_of
from services.voting.turnstile import Turnstile
from tests.integration.voting.test_admission import ballot, ledger_database, redis_url, rows, running
from tests.support.databases import Database
from tests.support.entries import entry

__all__ = ["ledger_database", "redis_url"]

Step = Callable[..., Coroutine[Any, Any, None]]
# (person, ballot id, choice): few of each, so that they meet often
TAPS = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 3))
BATCHES = st.lists(st.lists(TAPS, min_size=1, max_size=8), min_size=1, max_size=6)


async def explore(strategy: st.SearchStrategy[Any], step: Step, examples: int) -> None:
    """Run `step` for many examples; hypothesis drives from a thread, the step runs on this loop."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(strategy)
    def drive(example: Any) -> None:
        asyncio.run_coroutine_threadsafe(step(example), loop).result(60)

    await asyncio.to_thread(drive)


async def test_the_ledger_agrees_with_a_dictionary(ledger_database: Database, redis_url: str) -> None:
    async with running(ledger_database, redis_url) as admission:

        async def step(batches: list[list[tuple[int, int, int]]]) -> None:
            people = [secrets.token_bytes(16) for _ in range(4)]
            identifiers = [UUID(bytes=secrets.token_bytes(16)) for _ in range(3)]
            model: dict[int, tuple[int, int, bytes]] = {}
            for batch in batches:
                futures = [
                    admission.submit(ballot(people[person], identifiers[which], (choice,)))
                    for person, which, choice in batch
                ]
                outcomes = await asyncio.gather(*futures)
                adopt(model, batch, outcomes)
                check(model, batch, outcomes)
            stored = {row["voter_key"]: row for row in await rows(ledger_database)}
            for person, (which, choice, receipt) in model.items():
                row = stored[people[person]]
                assert (row["ballot_id"], row["choices"], row["receipt"]) == (identifiers[which], [choice], receipt)
            assert sum(key in stored for key in people) == len(model)

        await explore(BATCHES, step, 60)


Model = dict[int, tuple[int, int, bytes]]


def adopt(model: Model, batch: list[tuple[int, int, int]], outcomes: list[Outcome]) -> None:
    """Who was first within a batch is the ledger's choice; the model takes it over, once a person."""
    for (person, which, choice), outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Accepted) and outcome.fresh:
            assert person not in model, "a second ballot was accepted"
            model[person] = (which, choice, outcome.receipt)


def check(model: Model, batch: list[tuple[int, int, int]], outcomes: list[Outcome]) -> None:
    for (person, which, choice), outcome in zip(batch, outcomes, strict=True):
        known_which, known_choice, receipt = model[person]
        if which != known_which:
            assert isinstance(outcome, Refused)
            assert outcome.reason is Reason.ALREADY_VOTED
        elif choice != known_choice:
            assert isinstance(outcome, Refused)
            assert outcome.reason is Reason.BALLOT_ID_REUSED
        else:
            assert isinstance(outcome, Accepted)
            assert outcome.receipt == receipt


LIMITS = Limits(voter=3, device=4, address=6, verified=2)
MINUTE_US = 60_000_000


class Allowance:
    """GCRA by its definition: `limit` events a minute, all of which may come at once."""

    def __init__(self, limit: int) -> None:
        self.limit, self.arrival_us = limit, 0

    def spend(self, now_us: int, limit: int | None = None) -> bool:
        interval = MINUTE_US // (limit or self.limit)
        arrival = max(self.arrival_us, now_us)
        if arrival + interval - now_us > MINUTE_US:
            return False
        self.arrival_us = arrival + interval
        return True


class TurnstileModel:
    """What turnstile.lua should say, one visitor after the other."""

    def __init__(self) -> None:
        self.allowances: dict[bytes, Allowance] = {}
        self.hints: dict[bytes, Hint] = {}
        self.verified: dict[bytes, int] = {}
        self.solved: set[str] = set()

    def _spend(self, key: bytes, limit: int, now_us: int) -> bool:
        return self.allowances.setdefault(key, Allowance(limit)).spend(now_us, limit)

    def decide(self, visitor: Entry, now_us: int) -> Hint | Reason | None:
        if (hint := self.hints.get(person_of(visitor))) is not None:
            return hint
        solved = bool(visitor.challenge) and visitor.challenge not in self.solved
        if solved:
            self.solved.add(visitor.challenge)
        assert visitor.address is not None
        calm = self._spend(b"d" + visitor.device, LIMITS.device, now_us) if visitor.device else True
        allowed = LIMITS.address + LIMITS.verified * self.verified.get(visitor.address, 0)
        calm = self._spend(b"a" + visitor.address, allowed, now_us) and calm
        if not calm and not solved:
            return Reason.CHALLENGE_REQUIRED
        return None if self._spend(b"v" + visitor.voter_key, LIMITS.voter, now_us) else Reason.TOO_MANY_ATTEMPTS


def _person(voter: int) -> bytes:
    return person_of(entry(voter_key=bytes([voter] * 16)))


VISITS = st.tuples(
    st.integers(0, 2), st.sampled_from([None, b"device 1", b"device 2"]), st.sampled_from([b"addres 1", b"addres 2"]),
    st.sampled_from(["", "", "s1", "s2", "s3"]),
)  # fmt: skip
DAYS = st.lists(
    st.tuples(
        st.integers(0, 40_000_000),  # µs since the batch before
        st.lists(VISITS, min_size=1, max_size=6),
        st.lists(st.integers(0, 2), max_size=1),  # whom the next batch remembers as recorded
        st.lists(st.sampled_from([b"addres 1", b"addres 2"]), max_size=2),  # people verified meanwhile
    ),
    min_size=1,
    max_size=8,
)


async def test_the_turnstile_agrees_with_its_model(
    servers: PlatformServers, redis_url: str, operator_redis: Redis
) -> None:
    redis = open_redis(redis_url, timeout_s=5, connections_max=4, name="test")
    turnstile = Turnstile(redis, LIMITS, timeout_ms=5000, open_ms=10, workers=1)

    async def step(day: list[Any]) -> None:
        await operator_redis.flushall()
        tag, model, now_us = f"{{m{secrets.token_hex(4)}:0}}", TurnstileModel(), 1_900_000_000_000_000
        for elapsed_us, visits, remembered, verified in day:
            now_us += elapsed_us
            for address in verified:
                await turnstile.note_verified(tag, address, now_us)
                model.verified[address] = model.verified.get(address, 0) + 1
            visitors = [
                entry(tag=tag, voter_key=bytes([voter] * 16), device=device, address=address, challenge=challenge)
                for voter, device, address, challenge in visits
            ]
            hints = [Memory(tag, _person(voter), Hint(b"b" * 16, b"\0\1", b"r" * 12, 7, voter)) for voter in remembered]
            model.hints.update({memory.person: memory.hint for memory in hints})
            expected = [model.decide(visitor, now_us) for visitor in visitors]
            assert await turnstile.check(visitors, hints, now_us) == expected

    await explore(DAYS, step, 80)
    await redis.aclose()

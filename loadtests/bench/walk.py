"""What a whole voter costs the servers: challenge → code → session → ballot, walked by a client as a phone walks it.

Only the servers' CPU is counted, and only while they serve these calls: solving the challenge is the phone's work,
reading the code from the outbox is the telephone network's. What the platform uses while idle is taken off.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import httpx

from loadtests.bench import processes
from loadtests.bench.measure import Bench, Running
from loadtests.bench.ours import idle_cpu_us_per_s, whole_platform
from loadtests.bench.voters import address_of
from services.cli.people import VOTING, new_phone, no_cookies, solve, valid_choices

_AT_ONCE = 16
# Far from the addresses of the voters minted for wrk, whose allowances are spent.
_FIRST_ADDRESS = 3_000_000


class Walker:
    """One person on the way; each step is one call of CONTRACT."""

    def __init__(self, http: httpx.AsyncClient, round_id: str, number: int) -> None:
        self._http, self._base = http, f"{VOTING}/rounds/{round_id}"
        self._phone = new_phone()
        self._headers = {"x-forwarded-for": address_of(_FIRST_ADDRESS + number)}
        self._challenge: dict[str, Any] = {}
        self._altcha = self._code = ""
        self._request = ""

    async def get_challenge(self) -> None:
        answer = (await self._http.get(f"{self._base}/challenge", headers=self._headers)).raise_for_status()
        self._challenge = answer.json()
        self._headers["cookie"] = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())

    async def solve_challenge(self) -> None:
        self._altcha = await asyncio.to_thread(solve, self._challenge)

    async def ask_code(self) -> None:
        self._request = str((await self._post("codes", {"phone": self._phone, "altcha": self._altcha}))["request"])

    async def read_code(self) -> None:
        sent = await self._http.post(f"{VOTING}/dev/outbox", json={"phone": self._phone})
        self._code = str(sent.raise_for_status().json()[-1]["code"])

    async def sign_in(self, consent: str) -> None:
        form = {"request": self._request, "phone": self._phone, "code": self._code, "consent": consent}
        self._headers["authorization"] = f"Bearer {(await self._post('sessions', form))['token']}"

    async def vote(self, choices: Sequence[str]) -> None:
        await self._post("ballots", {"ballot_id": str(uuid4()), "choices": list(choices)})

    async def _post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._http.post(f"{self._base}/{call}", json=body, headers=self._headers)
        document: dict[str, Any] = answer.raise_for_status().json()
        return document


async def cpu_per_voter(bench: Bench, count: int) -> dict[str, float]:
    """CPU µs of the servers per voter and per step, idle use taken off; `idle_cpu_percent` of one core is that use."""
    facts, chance = bench.stage.facts, random.Random(1)
    async with whole_platform(bench.stage) as running, _http(running.port) as http:
        walkers = [Walker(http, facts.id, number) for number in range(count)]
        idle = await idle_cpu_us_per_s(running)
        meter = _Meter(running, count, sum(idle.values()))
        # A first person warms what is compiled or connected late.
        await _walk_alone(Walker(http, facts.id, count), facts.public)
        steps: list[tuple[str, Callable[[Walker], Awaitable[None]]]] = [
            ("challenge", Walker.get_challenge),
            ("", Walker.solve_challenge),
            ("code", Walker.ask_code),
            ("", Walker.read_code),
            ("session", lambda walker: walker.sign_in(facts.public["consent"])),
            ("ballot", lambda walker: walker.vote(valid_choices(facts.public, chance))),
        ]
        for name, step in steps:
            await meter.run(name, walkers, step)
    percents = {f"idle_cpu_percent_{name}": used / 10_000 for name, used in idle.items()}
    return meter.figures() | {"idle_cpu_percent": sum(percents.values())} | percents


async def _walk_alone(walker: Walker, facts: Any) -> None:
    for step in (walker.get_challenge, walker.solve_challenge, walker.ask_code, walker.read_code):
        await step()
    await walker.sign_in(facts["consent"])
    await walker.vote(valid_choices(facts, random.Random(2)))


def _http(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, cookies=no_cookies(),
        limits=httpx.Limits(max_connections=_AT_ONCE), headers={"user-agent": "pingxuan-bench"},
    )  # fmt: skip


class _Meter:
    """Adds up what the servers use during the steps that have a name."""

    def __init__(self, running: Running, count: int, idle_us_per_s: float) -> None:
        self._running, self._count, self._idle = running, count, idle_us_per_s
        self._steps: dict[str, float] = {}

    async def run(self, name: str, walkers: Sequence[Walker], step: Callable[[Walker], Awaitable[None]]) -> None:
        waiting = asyncio.Semaphore(_AT_ONCE)

        async def one(walker: Walker) -> None:
            async with waiting:
                await step(walker)

        before, started = sum(processes.cpu_us(self._running.roots).values()), time.perf_counter()
        await asyncio.gather(*(one(walker) for walker in walkers))
        used = sum(processes.cpu_us(self._running.roots).values()) - before
        if name:
            self._steps[name] = max(0.0, used - self._idle * (time.perf_counter() - started)) / self._count

    def figures(self) -> dict[str, float]:
        steps = {f"cpu_us_{name}": used for name, used in self._steps.items()}
        return {"cpu_us_per_voter": sum(steps.values()), **steps}

"""A citizen as a program: challenge, code, session, ballot, through the public HTTP interface only."""

from __future__ import annotations

import itertools
import random
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from uuid import uuid4

import httpx
from altcha.v2 import Challenge, Payload, solve_challenge

_phones = itertools.count(random.SystemRandom().randrange(10_000_000))
PREFIX = "/api/voting/v1"


def no_cookies() -> CookieJar:
    """A jar that stays empty: people in a test share a client, not a device."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def new_phone() -> str:
    """A mainland mobile number that no other test uses."""
    return f"139{next(_phones) % 100_000_000:08d}"


def solve(challenge: dict[str, Any]) -> str:
    parsed = Challenge.from_dict(challenge)
    solution = solve_challenge(parsed)
    assert solution is not None
    return Payload(parsed, solution).to_base64()


class Citizen:
    """One person with one phone; keeps the token between calls."""

    def __init__(self, http: httpx.AsyncClient, round_id: str, phone: str = "", address: str = "") -> None:
        self.http, self.round, self.phone = http, round_id, phone or new_phone()
        self.headers = {"x-forwarded-for": address} if address else {}
        self.token = ""

    @property
    def _base(self) -> str:
        return f"{PREFIX}/rounds/{self.round}"

    async def ask_code(self, **changes: Any) -> httpx.Response:
        challenge = (await self.http.get(f"{self._base}/challenge", headers=self.headers)).json()
        form = {"phone": self.phone, "altcha": solve(challenge), **changes}
        return await self.http.post(f"{self._base}/codes", json=form, headers=self.headers)

    async def newest_code(self) -> str:
        sent = await self.http.post(f"{PREFIX}/dev/outbox", json={"phone": self.phone})
        return str(sent.json()[-1]["code"])

    async def prove(self, request: str, code: str, **changes: Any) -> httpx.Response:
        consent = (await self.http.get(self._base)).json()["consent"]
        form = {"request": request, "phone": self.phone, "code": code, "consent": consent, **changes}
        return await self.http.post(f"{self._base}/sessions", json=form, headers=self.headers)

    async def sign_in(self, **changes: Any) -> str:
        asked = await self.ask_code()
        assert asked.status_code == 202, asked.text
        proven = await self.prove(asked.json()["request"], await self.newest_code(), **changes)
        assert proven.status_code == 201, proven.text
        self.token = proven.json()["token"]
        return self.token

    async def vote(
        self, choices: list[str], ballot_id: str | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        return await self.http.post(
            f"{self._base}/ballots",
            json={"ballot_id": ballot_id or str(uuid4()), "choices": choices, **more},
            headers={"authorization": f"Bearer {self.token}", **self.headers, **(headers or {})},
        )

"""People as programs: citizens, experts and administrators who use the platform through its public HTTP interface only.

Used by `make demo`, the tests and the load tests, so that all of them walk the same way a phone walks.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from uuid import uuid4

import httpx
from altcha.v2 import Challenge, Payload, solve_challenge

VOTING = "/api/voting/v1"
SCORING = "/api/scoring/v1"
REGISTRY = "/api/registry/v1"
_phones = itertools.count(random.SystemRandom().randrange(10_000_000))


def no_cookies() -> CookieJar:
    """A jar that stays empty: people who share a client do not share a device."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def new_phone() -> str:
    """A mainland mobile number that no other person of this process uses."""
    return f"139{next(_phones) % 100_000_000:08d}"


def solve(challenge: Mapping[str, Any]) -> str:
    """The solution of an ALTCHA v2 challenge as a form takes it."""
    parsed = Challenge.from_dict(dict(challenge))
    solution = solve_challenge(parsed)
    if solution is None:
        raise RuntimeError("the challenge was not solved in time")
    return Payload(parsed, solution).to_base64()


class Citizen:
    """One person with one phone; keeps the token between calls."""

    def __init__(self, http: httpx.AsyncClient, round_id: str, phone: str = "", address: str = "") -> None:
        self.http, self.round, self.phone = http, round_id, phone or new_phone()
        self.headers = {"x-forwarded-for": address} if address else {}
        self.token = ""

    @property
    def _base(self) -> str:
        return f"{VOTING}/rounds/{self.round}"

    async def ask_code(self, **changes: Any) -> httpx.Response:
        """Solve a challenge and ask for a code, once."""
        challenge = (await self.http.get(f"{self._base}/challenge", headers=self.headers)).json()
        return await self._ask(challenge, **changes)

    async def ask_patiently(self) -> httpx.Response:
        """Ask for a code; a number under suspicion is asked for more work, and does it."""
        answer = await self.ask_code()
        harder = answer.json().get("challenge") if answer.status_code == 403 else None
        return answer if harder is None else await self._ask(harder)

    async def _ask(self, challenge: Mapping[str, Any], **changes: Any) -> httpx.Response:
        # The work releases the interpreter, so that others go on meanwhile.
        form = {"phone": self.phone, "altcha": await asyncio.to_thread(solve, challenge), **changes}
        return await self.http.post(f"{self._base}/codes", json=form, headers=self.headers)

    async def newest_code(self) -> str:
        """The code on the phone, which is the embedded platform's outbox."""
        sent = await self.http.post(f"{VOTING}/dev/outbox", json={"phone": self.phone})
        return str(sent.json()[-1]["code"])

    async def prove(self, request: str, code: str, **changes: Any) -> httpx.Response:
        """Exchange a code for a token."""
        consent = (await self.http.get(self._base)).json()["consent"]
        form = {"request": request, "phone": self.phone, "code": code, "consent": consent, **changes}
        return await self.http.post(f"{self._base}/sessions", json=form, headers=self.headers)

    async def sign_in(self, **changes: Any) -> str:
        """The whole way from the challenge to the token; raises httpx.HTTPStatusError where a step is refused."""
        asked = (await self.ask_patiently()).raise_for_status().json()
        proven = (await self.prove(asked["request"], await self.newest_code(), **changes)).raise_for_status()
        self.token = str(proven.json()["token"])
        return self.token

    async def vote(
        self,
        choices: Sequence[str],
        ballot_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Send a ballot."""
        return await self.http.post(
            f"{self._base}/ballots",
            json={"ballot_id": ballot_id or str(uuid4()), "choices": list(choices), **more},
            headers={"authorization": f"Bearer {self.token}", **self.headers, **(headers or {})},
        )


class Member:
    """A member of staff with a password."""

    def __init__(self, http: httpx.AsyncClient, username: str, password: str) -> None:
        self.http, self.username, self._password = http, username, password
        self._headers: dict[str, str] = {}

    async def sign_in(self) -> None:
        form = {"username": self.username, "password": self._password}
        answer = (await self.http.post(f"{REGISTRY}/sessions", json=form)).raise_for_status()
        self._headers = {"authorization": f"Bearer {answer.json()['token']}"}

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call with the token; a token that ran out is renewed by signing in again."""
        answer = await self.http.request(method, path, json=body, headers=self._headers)
        if answer.status_code == 401:
            await self.sign_in()
            answer = await self.http.request(method, path, json=body, headers=self._headers)
        return answer

    async def score(self, round_id: str, candidate: str, marks: Mapping[str, str], comment: str = "") -> None:
        """Save a sheet and submit it."""
        sheet = f"{SCORING}/rounds/{round_id}/sheets/{candidate}"
        (await self.call("PUT", sheet, {"marks": dict(marks), "comment": comment})).raise_for_status()
        (await self.call("POST", f"{sheet}/submit")).raise_for_status()


def valid_choices(facts: Mapping[str, Any], chance: random.Random) -> list[str]:
    """A ballot that the round's rule allows, drawn at random; `facts` is the answer of `GET /rounds/{round}`."""
    rule = facts["ballot"]
    standing = [card for card in facts["candidates"] if card["withdrawn_at"] is None]
    for _ in range(200):
        wanted = chance.randint(rule["choices_min"], rule["choices_max"])
        chosen = chance.sample(standing, min(wanted, len(standing)))
        if _allowed(rule, chosen):
            return [card["candidate"] for card in chosen]
    raise RuntimeError("no ballot was found that the rule allows")


def _allowed(rule: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]) -> bool:
    groups = [card["group"] for card in chosen]
    if rule["group_max"] and max(groups.count(group) for group in groups) > rule["group_max"]:
        return False
    return len({card["channel"] for card in chosen}) >= int(rule["channels_min"])

"""The people of a run: some vote once, some tap twice, some try a second ballot, some forge; all insist on an answer.

They reach voting through the clients' proxy, and note every attempt and outcome with the recorder before they go on.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import httpx

from loadtests.chaos.recorder import Outcome, Recorder
from services.cli.people import VOTING, no_cookies
from services.voting.voter_token import VoterToken, VoterTokens

CANDIDATES = ("c1", "c2", "c3", "c4")
CHOICES_MAX = 3
# Out of a hundred people, those who do not simply vote once.
HABITS = (("taps_twice", 20), ("two_ballots", 15), ("changes", 8), ("forges", 5))
PATIENCE_S, ANSWER_S = 30.0, 4.0
PAUSES_S = (0.05, 0.25)


@dataclass
class Person:
    """Somebody who has signed in; `receipt` once the ballot was acknowledged."""

    key: str
    token: str
    ballot_id: str
    choices: list[str]
    habit: str
    receipt: str = ""
    is_refused: bool = False


class Crowd:
    """Everybody of one run."""

    def __init__(
        self, url: str, round_id: str, round_number: int, tokens: VoterTokens, recorder: Recorder,
        chance: random.Random, patience: float,
    ) -> None:  # fmt: skip
        self._path = f"{VOTING}/rounds/{round_id}/ballots"
        self._url, self._number, self._tokens, self._recorder = url, round_number, tokens, recorder
        self._chance, self._patience_s = chance, PATIENCE_S * patience
        self.people: list[Person] = []
        self._http, self._alone = self._client(kept=16), self._client(kept=0)

    def _client(self, kept: int) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=48, max_keepalive_connections=kept)
        return httpx.AsyncClient(
            base_url=self._url, timeout=ANSWER_S, trust_env=False, cookies=no_cookies(), limits=limits
        )

    async def close(self) -> None:
        await self._http.aclose()
        await self._alone.aclose()

    def newcomer(self, habit: str = "") -> Person:
        """Another person; the habit is drawn where none is given."""
        key = os.urandom(16)
        token = self._tokens.sign(VoterToken(self._number, key, 0, "sms", "", int(time.time()) + 3000))
        habit = habit or self._draw_habit()
        if habit == "forges":
            token = token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]
        person = Person(key.hex(), token, str(uuid4()), self._draw_choices(), habit)
        self.people.append(person)
        return person

    def _draw_habit(self) -> str:
        place = self._chance.randrange(100)
        for habit, share in HABITS:
            if place < share:
                return habit
            place -= share
        return "plain"

    def _draw_choices(self) -> list[str]:
        return self._chance.sample(CANDIDATES, self._chance.randint(1, CHOICES_MAX))

    async def send(
        self, person: Person, kind: str = "own", ballot_id: str = "", choices: Sequence[str] = (), alone: bool = False
    ) -> Outcome:
        """One attempt, recorded before and after; `alone` on a connection of its own."""
        ballot_id, chosen = ballot_id or person.ballot_id, list(choices or person.choices)
        number = await self._recorder.attempt(person.key, kind, ballot_id, chosen)
        try:
            answer = await self._post(person, ballot_id, chosen, alone)
            outcome = _outcome(number, answer)
        except (httpx.HTTPError, ValueError):
            outcome = Outcome(number, 0, time.time())
        await self._recorder.outcome(outcome)
        return outcome

    async def _post(self, person: Person, ballot_id: str, choices: list[str], alone: bool) -> httpx.Response:
        return await (self._alone if alone else self._http).post(
            self._path,
            json={"ballot_id": ballot_id, "choices": choices},
            headers={"authorization": f"Bearer {person.token}"},
        )

    async def insist(self, person: Person, alone: bool = False, patience_s: float = 0) -> None:
        """The same ballot again and again until somebody answers for it."""
        deadline = time.monotonic() + (patience_s or self._patience_s)
        while time.monotonic() < deadline:
            outcome = await self.send(person, "forged" if person.habit == "forges" else "own", alone=alone)
            if outcome.status in (200, 201):
                person.receipt = outcome.receipt
                return
            if outcome.status not in (0, 503):
                person.is_refused = True
                return
            await asyncio.sleep(self._chance.uniform(*PAUSES_S))

    async def act(self, person: Person) -> None:
        """What this person does, by habit."""
        if person.habit == "taps_twice":
            await asyncio.gather(self.insist(person), self.insist(person))
        elif person.habit == "two_ballots":
            other = self.send(person, "other", str(uuid4()), self._draw_choices())
            await asyncio.gather(self.insist(person), other)
        else:
            await self.insist(person)
        if person.habit == "changes" and person.receipt:
            others = [each for each in CANDIDATES if each not in person.choices]
            await self.send(person, "reused", choices=others[:1] or [CANDIDATES[0]])

    async def arrive(self, count: int, every_s: float) -> None:
        """So many people, one after the other at random moments; returns when all were answered."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self.act(self.newcomer()))
                await asyncio.sleep(self._chance.uniform(0.5, 1.5) * every_s)

    async def repeat(self, share: float = 1.0) -> None:
        """Those who have a receipt send their ballot once more."""
        mine = [person for person in self.people if person.receipt and person.habit != "forges"]
        chosen = [person for person in mine if self._chance.random() < share]
        await asyncio.gather(*(self.send(person) for person in chosen))

    async def come_late(self, count: int) -> None:
        """People who vote for the first time after the close."""
        await asyncio.gather(*(self.send(self.newcomer("plain"), "late") for _ in range(count)))

    def left_alone(self) -> list[str]:
        """Those whom nobody answered in all their patience."""
        return [person.key for person in self.people if not person.receipt and not person.is_refused]


def _outcome(number: int, answer: httpx.Response) -> Outcome:
    body = answer.json()
    return Outcome(
        number, answer.status_code, time.time(), str(body.get("reason", "")), str(body.get("receipt", "")),
        str(body.get("ballot_id", "")), "retry-after" in answer.headers,
    )  # fmt: skip

"""Bots try everything that must not work. They know the true answer only to be sure that they guess wrong.

Invariant: whatever succeeds here beyond the one vote of the bot's own phone is counted as won, and none may be.
"""

from __future__ import annotations

import os
from typing import ClassVar
from uuid import uuid4

from locust import task

from loadtests.load.people.addresses import bot_address
from loadtests.load.people.base import RECORD, SCENE, Reply
from loadtests.load.people.phones import BASE, Caller, solved
from loadtests.load.record import Step
from services.cli.people import VOTING, valid_choices
from services.voting.receipts import receipt_text

GUESSES = 7


class Bot(Caller):
    """A rented phone behind one of two hundred addresses; its own vote is its good right."""

    title = "bot"
    weight = 3
    # Bought by the thousand: neighbours.
    prefix: ClassVar[str] = "17012"

    def become(self, address: str = "") -> None:
        super().become(address or bot_address(self.chance))

    def on_start(self) -> None:
        self._enter()

    def _enter(self) -> None:
        """A new phone that signs in and, if the vote is open, votes once."""
        self.become()
        facts = self.call(Step.FACTS, "GET", BASE).body
        request = self.ask_code()
        if not facts or not request or not self.prove(request, self.read_code(), str(facts["consent"])).ok:
            return
        self.choices = valid_choices(facts, self.chance)
        self.send_ballot()

    @task(3)
    def vote_again(self) -> None:
        """Other ballots of somebody who has voted, and the recorded one with other choices."""
        if not self.receipt:
            self._enter()
            return
        own = (self.ballot_id, self.choices, self.receipt)
        for ballot_id in (str(uuid4()), str(uuid4()), own[0]):
            self.choices = own[1][1:] + own[1][:1] if ballot_id != own[0] else own[1][:-1]
            self._won(self._attempt(ballot_id))
        self.ballot_id, self.choices, self.receipt = own

    def _attempt(self, ballot_id: str) -> Reply:
        body = {"ballot_id": ballot_id, "choices": self.choices}
        return self.call(Step.BALLOT, "POST", f"{BASE}/ballots", body, token=self.token)

    @task(2)
    def guess_codes(self) -> None:
        """More wrong codes for one request than it has tries; then the right one comes too late."""
        self.become()
        request = self.ask_code()
        if not request:
            return
        true = self.read_code()
        for guess in range(GUESSES):
            wrong = f"{(int(true or '0') + 1 + guess) % 10**6:06d}"
            self._won(self.prove(request, wrong, "1"))
        self.token = ""

    @task(2)
    def forge_tokens(self) -> None:
        """A token that was changed, one of a round that is over, and none at all."""
        changed = self.token[:20] + ("A" if self.token[20:21] != "A" else "B") + self.token[21:]
        choices = self.choices or ["K01", "K02", "K03"]
        for token in (changed, SCENE.old_token, os.urandom(60).hex()):
            body = {"ballot_id": str(uuid4()), "choices": choices}
            self._won(self.call(Step.BALLOT, "POST", f"{BASE}/ballots", body, token=token))
            self._won(self.call(Step.OWN_BALLOT, "GET", f"{BASE}/ballots/mine", token=token))

    @task(2)
    def guess_receipts(self) -> None:
        for _ in range(GUESSES):
            self._won(self.call(Step.RECEIPT_PAGE, "GET", f"{VOTING}/receipts/{receipt_text(os.urandom(12))}"))

    @task(1)
    def replay_work(self) -> None:
        """One solved challenge for several numbers."""
        challenge = self.call(Step.CHALLENGE, "GET", f"{BASE}/challenge")
        if not challenge.ok:
            return
        altcha = solved(challenge.body)
        for attempt in range(3):
            self.become()
            answer = self.call(Step.CODE, "POST", f"{BASE}/codes", {"phone": self.phone, "altcha": altcha})
            if attempt:
                self._won(answer)

    def _won(self, answer: Reply) -> None:
        RECORD.won_by_bots += answer.ok

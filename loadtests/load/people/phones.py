"""Somebody with a phone: asks for a code, reads it, proves it, votes. Citizens and bots walk this way.

The same calls in the same order as the page makes them. The code comes from the embedded platform's outbox, which
stands for the telephone network. Used by `citizens.py` and `bots.py`.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any, ClassVar
from uuid import uuid4

import gevent

from loadtests.load.people.base import RECORD, SCENE, Person, Reply
from loadtests.load.record import Step
from services.cli.people import VOTING, solve

BASE = f"{VOTING}/rounds/{SCENE.round}"
PAGE = f"/rounds/{SCENE.round}"
TRIES_MAX, PHONE_DIGITS = 8, 11
# What tells the sender that this ballot is not and will not be in the ledger.
NOT_COUNTED = frozenset({"already_voted", "ballot_id_reused", "window_closed", "bad_ballot", "bad_token"})
_taken: set[str] = set()


def new_phone(prefix: str, chance: random.Random) -> str:
    """A mobile number that nobody else of this run has."""
    while True:
        digits = PHONE_DIGITS - len(prefix)
        phone = f"{prefix}{chance.randrange(10**digits):0{digits}d}"
        if phone not in _taken:
            _taken.add(phone)
            return phone


def solved(challenge: Mapping[str, Any]) -> str:
    """The work of a challenge, done beside the other people: hashing lets go of the interpreter."""
    return str(gevent.get_hub().threadpool.apply(solve, (challenge,)))


class Caller(Person):
    """A person who can sign in with a code."""

    abstract = True
    prefix: ClassVar[str] = "139"

    def become(self, address: str = "") -> None:
        super().become(address)
        self.phone = new_phone(self.prefix, self.chance)
        self.token, self.ballot_id, self.receipt = "", str(uuid4()), ""
        self.choices: list[str] = []

    def ask_code(self, expected: Collection[str] = ()) -> str:
        """The code request, empty where none was granted. More work, where it is asked for, is done."""
        challenge = self.call(Step.CHALLENGE, "GET", f"{BASE}/challenge")
        work = challenge.body if challenge.ok else None
        for _ in range(TRIES_MAX):
            if work is None:
                break
            form = {"phone": self.phone, "altcha": solved(work)}
            answer = self.call(Step.CODE, "POST", f"{BASE}/codes", form, expected=expected)
            if answer.ok:
                return str(answer.body["request"])
            work = answer.body.get("challenge")
        return ""

    def read_code(self) -> str:
        """What came by message; a message may take a moment."""
        for _ in range(TRIES_MAX):
            sent = self.call(Step.TELEPHONE, "POST", f"{VOTING}/dev/outbox", {"phone": self.phone})
            if sent.ok and (codes := sent.listed):
                return str(codes[-1]["code"])
            gevent.sleep(0.2)
        return ""

    def prove(self, request: str, code: str, consent: str, expected: Collection[str] = ()) -> Reply:
        form = {"request": request, "phone": self.phone, "code": code, "consent": consent}
        answer = self.call(Step.SESSION, "POST", f"{BASE}/sessions", form, expected=expected)
        if answer.ok:
            self.token = str(answer.body["token"])
        return answer

    def send_ballot(self, altcha: str = "", expected: Collection[str] = ()) -> Reply:
        """The ballot once; what it was told is noted against the ledger."""
        body: dict[str, Any] = {"ballot_id": self.ballot_id, "choices": self.choices}
        if altcha:
            body["altcha"] = altcha
        RECORD.sending(self.ballot_id, self.choices)
        path = f"{BASE}/ballots"
        answer = self.call(Step.BALLOT, "POST", path, body, token=self.token, expected=expected)
        if answer.ok:
            self.receipt = str(answer.body["receipt"])
            times = (answer.sent_at, answer.answered_at)
            RECORD.acknowledged(self.ballot_id, self.receipt, *times, fresh=answer.status == 201)
        elif answer.is_unknown:
            RECORD.unsure(self.ballot_id)
        elif answer.word in NOT_COUNTED:
            RECORD.refused(self.ballot_id)
        return answer

    def work(self, answer: Reply) -> str:
        """The solution of the work that a refusal asks for."""
        return solved(answer.body["challenge"])

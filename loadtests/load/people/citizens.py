"""Citizens: who votes for the first time, who hesitates, who taps twice, whose phone loses its line.

Each walks from the round's page to the receipt as the page leads them, and repeats the same ballot until somebody
answers, as the page does. Every task is one whole person; the next one in the same place is somebody else.
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import gevent
from locust import task

from loadtests.load.people.addresses import hang_up
from loadtests.load.people.base import RECORD, SCENE, Reply
from loadtests.load.people.phones import BASE, PAGE, TRIES_MAX, Caller
from loadtests.load.record import Step
from services.cli.people import valid_choices

_BACK_OFF_MAX_S = 8.0


class Citizen(Caller):
    """The whole way; kinds of citizens differ in single steps of it."""

    abstract = True

    @task
    def visit(self) -> None:
        self.become()
        if not self._arrive():
            return
        self.look_around()
        facts = self._begin()
        if facts is None or not self.sign_in(str(facts["consent"])):
            return
        self.choices = valid_choices(facts, self.chance)
        self.think(0.2, 1.0)
        self.submit()
        if self.receipt:
            self.afterwards()

    def _arrive(self) -> bool:
        """The round's page; who is early waits and loads it again at the opening, who is late reads that it is over."""
        self.open_page(Step.ROUND_PAGE, PAGE)
        early_s = SCENE.opens_at - time.time()
        if early_s > 0:
            gevent.sleep(early_s + self.chance.uniform(0, 2))
            self.open_page(Step.ROUND_PAGE, PAGE)
        self.call(Step.TURNOUT, "GET", f"{BASE}/results")
        return time.time() < SCENE.closes_at

    def look_around(self) -> None:
        self.think(0.5, 3.0)

    def _begin(self) -> dict[str, Any] | None:
        """The page where one votes, and the round's facts; None where they did not come."""
        self.open_page(Step.VOTE_PAGE, f"{PAGE}/vote")
        facts = self.call(Step.FACTS, "GET", BASE)
        return facts.body if facts.ok else None

    def sign_in(self, consent: str) -> bool:
        request = self.ask_code()
        if not request:
            return False
        self.wait_for_message(request, consent)
        return self.type_code(request, self.read_code(), consent)

    def wait_for_message(self, request: str, consent: str) -> None:
        self.think(1.0, 4.0)

    def type_code(self, request: str, code: str, consent: str) -> bool:
        return self.prove(request, code, consent).ok

    def submit(self) -> None:
        """The same ballot until it is answered for good; work is done, a busy service gets its pause."""
        altcha = ""
        for attempt in range(1, TRIES_MAX + 1):
            answer = self.send(altcha)
            if answer.asks_for_work:
                altcha = self.work(answer)
            elif not answer.is_unknown:
                return
            else:
                wait_s = float(answer.body.get("retry_after_s", 0)) or min(_BACK_OFF_MAX_S, 0.5 * 2**attempt)
                gevent.sleep(wait_s * self.chance.uniform(0.5, 1.5))

    def send(self, altcha: str) -> Reply:
        return self.send_ballot(altcha)

    def afterwards(self) -> None:
        """The receipt is looked at once."""
        self.think(0.2, 1.0)
        self.open_page(Step.RECEIPT_PAGE, f"/receipts/{self.receipt}")


class FirstTime(Citizen):
    """Reads the page, votes, keeps the receipt."""

    title = "first-time citizen"
    weight = 6


class Hesitant(Citizen):
    """Looks at candidates, mistypes the code, looks at the own ballot, and wants to vote otherwise after all."""

    title = "hesitant citizen"
    weight = 2

    def look_around(self) -> None:
        facts = self.call(Step.FACTS, "GET", BASE)
        cards = facts.body.get("candidates", [])
        for card in self.chance.sample(cards, min(3, len(cards))):
            self.think(0.5, 2.0)
            self.open_page(Step.CANDIDATE_PAGE, f"{PAGE}/candidates/{card['candidate']}")

    def type_code(self, request: str, code: str, consent: str) -> bool:
        mistyped = code[:-1] + str((int(code[-1]) + 1) % 10) if code else "000000"
        self.prove(request, mistyped, consent, expected={"wrong_code"})
        self.think(0.5, 2.0)
        return self.prove(request, code, consent).ok

    def afterwards(self) -> None:
        super().afterwards()
        self.call(Step.OWN_BALLOT, "GET", f"{BASE}/ballots/mine", token=self.token)
        self.think(1.0, 3.0)
        self.ballot_id, self.choices = str(uuid4()), self.choices[::-1]
        self.send_ballot(expected={"already_voted"})
        self.open_page(Step.RECEIPT_PAGE, f"/receipts/{self.receipt}")


class Impatient(Citizen):
    """Asks for the code again at once, and taps three times on everything."""

    title = "impatient citizen"
    weight = 3

    def look_around(self) -> None:
        self.think(0.1, 0.5)

    def wait_for_message(self, request: str, consent: str) -> None:
        self.ask_code(expected={"too_many_codes"})
        self.think(0.2, 1.0)

    def send(self, altcha: str) -> Reply:
        taps = [gevent.spawn(self.send_ballot, altcha) for _ in range(3)]
        gevent.joinall(taps)
        answers: list[Reply] = [tap.value for tap in taps if tap.value is not None]
        return next((each for each in answers if each.ok), answers[0])


class Flaky(Citizen):
    """A line that breaks: pages half loaded, ballots that leave and whose answer never comes."""

    title = "citizen with a flaky phone"
    weight = 2

    def look_around(self) -> None:
        self._cut(b"GET", PAGE, b"", 1.0)
        self.think(0.5, 3.0)

    def send(self, altcha: str) -> Reply:
        """Once in the middle of the ballot, once right after it, then at last to the end."""
        body = json.dumps({"ballot_id": self.ballot_id, "choices": self.choices}).encode()
        RECORD.sending(self.ballot_id, self.choices)
        RECORD.unsure(self.ballot_id)
        for share in (self.chance.uniform(0.2, 0.95), 1.0):
            self._cut(b"POST", f"{BASE}/ballots", body, share)
            self.think(0.2, 2.0)
        return self.send_ballot(altcha)

    def _cut(self, method: bytes, path: str, body: bytes, share: float) -> None:
        """A request that nobody waits for; it counts in no latency."""
        host, port = self.origin()
        head = (
            f"{method.decode()} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: pingxuan-load\r\n"
            f"Cookie: {self.cookies()}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        hang_up(host, port, self.address, head.encode() + body, share, self.chance.uniform(0, 0.03))
        RECORD.tell(self.title, Step.BALLOT if body else Step.ROUND_PAGE, "cut_off", wanted=True)

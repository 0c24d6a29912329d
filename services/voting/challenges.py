"""Challenges of voters: proofs of work (`shared/proof_of_work.py`) bound to a round, good for one use.

The caller keeps the books of what was used; a harder challenge is also bound to the phone it was made for.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

from services.shared.keys import derive
from services.shared.proof_of_work import ProofOfWork
from services.voting import metrics


class Solved(msgspec.Struct, frozen=True):
    """A challenge of ours that was solved in time; `level` doublings of the base work, for the phone of `bound`."""

    nonce: str
    level: int
    bound: str


class Challenges:
    """Makes and checks challenges under keys derived from the master secret."""

    def __init__(self, secret: bytes, *, cost: int, tries_max: int, lifetime_s: int) -> None:
        self._work = ProofOfWork(secret, cost=cost, tries_max=tries_max, lifetime_s=lifetime_s)
        self._bound_key = derive(secret, "challenge-phone")

    def make(self, round_id: str, level: int = 0, phone_key: bytes = b"") -> dict[str, Any]:
        """A challenge as the page's solver takes it; from level 1 on it is good for one phone only."""
        metrics.challenges_total.inc()
        return self._work.make(round_id, level, {"phone": self.bound(phone_key)} if level else None)

    def bound(self, phone_key: bytes) -> str:
        """A name for a phone that leads nobody to `phone_key`: clients see it."""
        return hmac.new(self._bound_key, phone_key, "sha256").hexdigest()[:32]

    def check(self, solution: str, round_id: str) -> Solved | None:
        """What was solved when it is ours, for this round and in time; else None."""
        solved = self._work.check(solution, round_id)
        metrics.challenge_answers_total.labels(metrics.Answered.SOLVED if solved else metrics.Answered.REFUSED).inc()
        return Solved(solved.nonce, solved.level, solved.data.get("phone", "")) if solved else None

    def verify(self, solution: str, round_id: str) -> str | None:
        """The nonce of a solved challenge of any level, else None."""
        solved = self.check(solution, round_id)
        return solved.nonce if solved else None

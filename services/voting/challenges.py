"""ALTCHA v2 challenges: proof of work instead of puzzles, made and checked with the official library.

The number of tries is drawn by us (deterministic mode), so that every phone has about the same work; the key
signature makes checking one HMAC. A challenge is bound to its round and good for one use (the caller keeps the books);
a harder one is also bound to the phone it was made for.

The arithmetic of the base level: 200 to 400 tries of 1,000 iterations of PBKDF2 are 0.2 to 0.4 million iterations. A
four-core phone of 2018 does about 150,000 iterations a second and core without SHA instructions in its browser, so
0.4 million take 0.7 s on four workers and 1.4 s on two; with SHA instructions a fraction of it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

import msgspec
from altcha.v2 import Payload, create_challenge, verify_solution

from services.shared.keys import derive
from services.voting import metrics

_ALGORITHM = "PBKDF2/SHA-256"
_SOLUTION_MAX_CHARS = 4096


class Solved(msgspec.Struct, frozen=True):
    """A challenge of ours that was solved in time; `level` doublings of the base work, for the phone of `bound`."""

    nonce: str
    level: int
    bound: str


class Challenges:
    """Makes and checks challenges under keys derived from the master secret."""

    def __init__(self, secret: bytes, *, cost: int, tries_max: int, lifetime_s: int) -> None:
        self._secret = derive(secret, "challenge").hex()
        self._key_secret = derive(secret, "challenge-key").hex()
        self._bound_key = derive(secret, "challenge-phone")
        self._cost, self._tries_max, self._lifetime_s = cost, tries_max, lifetime_s

    def make(self, round_id: str, level: int = 0, phone_key: bytes = b"") -> dict[str, Any]:
        """A challenge as the page's solver takes it; from level 1 on it is good for one phone only."""
        metrics.challenges_total.inc()
        # More tries, not dearer ones: making a challenge costs this process one try.
        most = self._tries_max << level
        data = {"round": round_id, **({"level": level, "phone": self.bound(phone_key)} if level else {})}
        challenge = create_challenge(
            _ALGORITHM,
            self._cost,
            counter=most // 2 + secrets.randbelow(most - most // 2),
            expires_at=int(time.time()) + self._lifetime_s,
            data=data,
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        document: dict[str, Any] = challenge.to_dict()
        return document

    def bound(self, phone_key: bytes) -> str:
        """A name for a phone that leads nobody to `phone_key`: clients see it."""
        return hmac.new(self._bound_key, phone_key, "sha256").hexdigest()[:32]

    def check(self, solution: str, round_id: str) -> Solved | None:
        """What was solved when it is ours, for this round and in time; else None."""
        if len(solution) > _SOLUTION_MAX_CHARS:
            return None
        try:
            result = verify_solution(solution, self._secret, hmac_key_secret=self._key_secret)
            return _solved_for(solution, round_id) if result.verified else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def verify(self, solution: str, round_id: str) -> str | None:
        """The nonce of a solved challenge of any level, else None."""
        solved = self.check(solution, round_id)
        return solved.nonce if solved else None


def _solved_for(solution: str, round_id: str) -> Solved | None:
    parameters = Payload.from_base64(solution).challenge.parameters
    data = parameters.data
    if not isinstance(data, dict) or data.get("round") != round_id:
        return None
    return Solved(str(parameters.nonce), int(data.get("level", 0)), str(data.get("phone", "")))

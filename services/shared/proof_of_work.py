"""ALTCHA v2 challenges: proof of work instead of puzzles, made and checked with the official library.

The number of tries is drawn by us (deterministic mode), so that every phone has about the same work; the key
signature makes checking one HMAC. A challenge is bound to its subject and good for one use: the caller keeps the books.

The arithmetic of the base level: 200 to 400 tries of 1,000 iterations of PBKDF2 are 0.2 to 0.4 million iterations. A
four-core phone of 2018 does about 150,000 iterations a second and core without SHA instructions in its browser, so
0.4 million take 0.7 s on four workers and 1.4 s on two; with SHA instructions a fraction of it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from altcha.v2 import Payload, create_challenge, verify_solution

from services.shared.keys import derive

_ALGORITHM = "PBKDF2/SHA-256"
_SOLUTION_MAX_CHARS = 4096


class Solved(msgspec.Struct, frozen=True):
    """A challenge of ours that was solved in time; `level` doublings of the base work, `data` as it was made with."""

    nonce: str
    level: int
    data: dict[str, str]


class ProofOfWork:
    """Makes and checks challenges under keys derived from one secret; `subject` says what a solution is good for."""

    def __init__(self, secret: bytes, *, cost: int, tries_max: int, lifetime_s: int) -> None:
        self._secret = derive(secret, "challenge").hex()
        self._key_secret = derive(secret, "challenge-key").hex()
        self._cost, self._tries_max, self.lifetime_s = cost, tries_max, lifetime_s

    def make(self, subject: str, level: int = 0, data: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A challenge as the page's solver takes it."""
        # More tries, not dearer ones: making a challenge costs this process one try.
        most = self._tries_max << level
        challenge = create_challenge(
            _ALGORITHM,
            self._cost,
            counter=most // 2 + secrets.randbelow(most - most // 2),
            expires_at=int(time.time()) + self.lifetime_s,
            data={"subject": subject, "level": level, **(data or {})},
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        document: dict[str, Any] = challenge.to_dict()
        return document

    def check(self, solution: str, subject: str) -> Solved | None:
        """What was solved when it is ours, for this subject and in time; else None."""
        if len(solution) > _SOLUTION_MAX_CHARS:
            return None
        try:
            result = verify_solution(solution, self._secret, hmac_key_secret=self._key_secret)
            return _solved_for(solution, subject) if result.verified else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _solved_for(solution: str, subject: str) -> Solved | None:
    parameters = Payload.from_base64(solution).challenge.parameters
    data = parameters.data
    if not isinstance(data, dict) or data.get("subject") != subject:
        return None
    level = int(data.get("level", 0))
    return Solved(str(parameters.nonce), level, {str(name): str(value) for name, value in data.items()})

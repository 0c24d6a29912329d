"""ALTCHA v2 challenges: proof of work instead of puzzles, made and checked with the official library.

The number of tries is drawn by us (deterministic mode), so that every phone has about the same work; the key
signature makes checking one HMAC. A challenge is bound to its round and good for one use (the caller keeps the books).
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from altcha.v2 import create_challenge, verify_solution

from services.shared.keys import derive
from services.voting import metrics

_ALGORITHM = "PBKDF2/SHA-256"
_SOLUTION_MAX_CHARS = 4096


class Challenges:
    """Makes and checks challenges under keys derived from the master secret."""

    def __init__(self, secret: bytes, *, cost: int, tries_max: int, lifetime_s: int) -> None:
        self._secret = derive(secret, "challenge").hex()
        self._key_secret = derive(secret, "challenge-key").hex()
        self._cost, self._tries_max, self._lifetime_s = cost, tries_max, lifetime_s

    def make(self, round_id: str) -> dict[str, Any]:
        """A challenge as the page's solver takes it."""
        metrics.challenges_total.inc()
        least = self._tries_max // 2
        challenge = create_challenge(
            _ALGORITHM,
            self._cost,
            counter=least + secrets.randbelow(self._tries_max - least),
            expires_at=int(time.time()) + self._lifetime_s,
            data={"round": round_id},
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        document: dict[str, Any] = challenge.to_dict()
        return document

    def verify(self, solution: str, round_id: str) -> str | None:
        """The challenge's nonce when it is ours, for this round, in time and solved; else None."""
        if len(solution) > _SOLUTION_MAX_CHARS:
            return None
        try:
            result = verify_solution(solution, self._secret, hmac_key_secret=self._key_secret)
            if not result.verified:
                return None
            return _nonce_for(solution, round_id)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _nonce_for(solution: str, round_id: str) -> str | None:
    from altcha.v2 import Payload

    parameters = Payload.from_base64(solution).challenge.parameters
    if not isinstance(parameters.data, dict) or parameters.data.get("round") != round_id:
        return None
    return str(parameters.nonce)

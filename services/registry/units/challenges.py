"""Proofs of work (ALTCHA v2) for addresses that register many units in a day, by the official library.

A challenge is bound to what it is for and good for one use (`store.spend_challenge` keeps the books in PostgreSQL).
"""

import secrets
import time
from typing import Any

from altcha.v2 import Payload, create_challenge, verify_solution

from services.shared.keys import derive

_ALGORITHM = "PBKDF2/SHA-256"
# As for voters' codes: 200 to 400 tries of 1,000 iterations, about a second on an old phone; doubled per level.
_COST = 1000
_TRIES_MAX = 400
_LEVEL_MAX = 5
LIFETIME_S = 600
_SOLUTION_MAX_CHARS = 4096


class Challenges:
    """Makes and checks challenges under keys derived from the service's web secret."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._secret = derive(secret, f"{purpose}-challenge").hex()
        self._key_secret = derive(secret, f"{purpose}-challenge-key").hex()
        self._purpose = purpose

    def make(self, level: int = 0) -> dict[str, Any]:
        """A challenge as the page's solver takes it; each level doubles the work."""
        most = _TRIES_MAX << min(level, _LEVEL_MAX)
        challenge = create_challenge(
            _ALGORITHM,
            _COST,
            counter=most // 2 + secrets.randbelow(most - most // 2),
            expires_at=int(time.time()) + LIFETIME_S,
            data={"for": self._purpose},
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        document: dict[str, Any] = challenge.to_dict()
        return document

    def nonce_of(self, solution: str) -> str | None:
        """The nonce of a solved challenge of ours that is still in time, else None."""
        if not solution or len(solution) > _SOLUTION_MAX_CHARS:
            return None
        try:
            if not verify_solution(solution, self._secret, hmac_key_secret=self._key_secret).verified:
                return None
            parameters = Payload.from_base64(solution).challenge.parameters
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        data = parameters.data
        return str(parameters.nonce) if isinstance(data, dict) and data.get("for") == self._purpose else None

"""Proofs of work that the registry asks of busy addresses (`shared/proof_of_work.py`), each good for one use.

Invariant: a solution counts once, for what it was made for, and only at the level that is asked for now. Called by what
takes things in without a sign-in: registrations of units, objections.
"""

from datetime import datetime, timedelta
from typing import Any

from services.registry import challenge_store
from services.shared.keys import derive
from services.shared.postgres import Connection, Pool
from services.shared.proof_of_work import ProofOfWork, Solved

# As for voters' codes: about a second on an old phone; each level doubles it.
_COST, _TRIES_MAX = 1000, 400
LEVEL_MAX = 5


class Challenges:
    """Makes, checks and uses up challenges of one purpose, under a key derived from the service's web secret."""

    def __init__(self, secret: bytes, purpose: str, *, lifetime_s: int) -> None:
        self._work = ProofOfWork(
            derive(secret, f"{purpose}-work"), cost=_COST, tries_max=_TRIES_MAX, lifetime_s=lifetime_s
        )

    def make(self, subject: str, level: int) -> dict[str, Any]:
        """A challenge as the page's solver takes it; `level` goes from 0 to LEVEL_MAX."""
        return self._work.make(subject, level)

    def check(self, solution: str, subject: str) -> Solved | None:
        """What was solved when it is ours, for this subject and in time; else None."""
        return self._work.check(solution, subject) if solution else None

    async def spend(self, connection: Connection | Pool, solved: Solved | None, level: int, now: datetime) -> bool:
        """Use a solution up; False where it is none, is too easy or was used before."""
        if solved is None or solved.level < level:
            return False
        until = now + timedelta(seconds=self._work.lifetime_s)
        return await challenge_store.spend(connection, solved.nonce.encode(), until)

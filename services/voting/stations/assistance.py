"""Who helps whom to sign in: the helper's hour is counted in PostgreSQL, in the transaction that proves the code.

Called by `codes.py` inside its transaction: `admit` before the code is touched, so that a helper's full hour costs the
person nothing, who may go to another station or use a phone; `note` once the code was right.
"""

from __future__ import annotations

import msgspec

from services.shared.errors import Refusal
from services.shared.postgres import Connection
from services.voting.reasons import Reason
from services.voting.stations import store


class Assistance(msgspec.Struct, frozen=True):
    """A signed-in helper at a station, with the limits that hold there."""

    station: int
    helper: str
    ballots_per_hour: int
    token_lifetime_s: int

    async def admit(self, connection: Connection) -> None:
        """Raise Refusal too_many_attempts when this helper has helped as many as an hour allows."""
        if await store.helped_within_hour(connection, self.helper) >= self.ballots_per_hour:
            raise Refusal(
                Reason.TOO_MANY_ATTEMPTS,
                "This helper has helped as many people as an hour allows; another helper or the person's own phone"
                " can go on, and the code stays good.",
                retry_after_s=600,
            )

    async def note(self, connection: Connection) -> None:
        await store.add_session(connection, self.station, self.helper)

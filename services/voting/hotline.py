"""The hotline's view: was a code sent to a number, when, and did it arrive; never whether somebody signed in or voted.

Every look-up leaves an append-only row without the number, for the auditor; the same rows bound what one account may
ask in an hour, so that nobody walks through a city's numbers.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from services.shared.errors import Refusal
from services.shared.postgres import Pool, transaction
from services.voting import hotline_store
from services.voting.identity import keyed
from services.voting.identity.people import People
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound

_SHOWN_MAX = 20


class Sending(StrEnum):
    """What became of a code on its way."""

    UNDER_WAY = "under_way"
    ACCEPTED = "accepted"  # by the provider; its report has not come
    DELIVERED = "delivered"
    FAILED = "failed"


class CodeSent(msgspec.Struct, frozen=True):
    """A code as the hotline may know it; `failure` is a word of the delivery's closed list."""

    sent_at: datetime
    route: str
    state: Sending
    failure: str
    expired: bool


async def look_up(
    pool: Pool, people: People, frozen: FrozenRound, phone: str, staff: str, per_hour_max: int
) -> list[CodeSent]:
    """Codes of the last day, newest first; raises Refusal bad_phone, identity_forgotten or too_many_attempts."""
    phone_key = keyed(people.key(frozen), "code", people.phone(phone))
    async with transaction(pool) as connection:
        if await hotline_store.lookups_within_hour(connection, staff) >= per_hour_max:
            raise Refusal(
                Reason.TOO_MANY_ATTEMPTS,
                "This account has looked up as many numbers as an hour allows; a colleague can go on.",
                retry_after_s=600,
            )
        await hotline_store.note_lookup(connection, frozen.number, phone_key, staff)
        rows = await hotline_store.codes_of(connection, frozen.number, phone_key, _SHOWN_MAX)
    return [
        CodeSent(
            row["created_at"], row["route"], _sending(row["states"], expired=row["expired"]),
            _failure(row["failures"]), row["expired"],
        )
        for row in rows
    ]  # fmt: skip


def _sending(states: list[str], *, expired: bool) -> Sending:
    """The best that any attempt came to; a code that nobody will send any more has failed."""
    if "delivered" in states:
        return Sending.DELIVERED
    if "accepted" in states:
        return Sending.ACCEPTED
    under_way = "waiting" in states if states else not expired
    return Sending.UNDER_WAY if under_way else Sending.FAILED


def _failure(failures: list[str]) -> str:
    return next((word for word in reversed(failures) if word), "")

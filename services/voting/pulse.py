"""The pulse of a worker: who was answered in each minute, written once a minute as a heartbeat of every open round.

The ballot route only notes in memory; only requests with a valid token are noted, and a person counts once a minute, by
the last answer, so that neither a flood nor one impatient phone buys time. Codes are noted after a solved challenge,
once a minute for each number, as unsent only where sending was paused or failed by the providers' fault. What is noted
in the moment before the loop sees a new minute counts for the one before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import uuid4

from services.shared.clock import Clock
from services.shared.postgres import Pool
from services.voting import outage_store
from services.voting.outage import MINUTE, Minute
from services.voting.rounds import FrozenRound, RoundBook
from services.voting.voter_token import VoterToken

_PEOPLE_MAX = 200_000


class Pulse:
    """One per process."""

    def __init__(self) -> None:
        self._worker = uuid4()
        self._minute: datetime | None = None
        self._people: defaultdict[int, dict[bytes, bool]] = defaultdict(dict)
        self._codes: defaultdict[int, dict[bytes, bool]] = defaultdict(dict)
        self._waiting: tuple[datetime, dict[int, Minute]] | None = None

    def note(self, token: VoterToken | None, *, well: bool) -> None:
        """Somebody with a valid token was answered, or was told to come back later; bounded memory."""
        if token is not None:
            _note(self._people[token.round_number], token.voter_key, well=well)

    def note_code(self, round_number: int, phone_key: bytes, *, sent: bool) -> None:
        """A code was sent to a number, or could not be although the challenge was solved (paused, undelivered)."""
        _note(self._codes[round_number], phone_key, well=sent)

    async def beat_once(self, pool: Pool, rounds: RoundBook, clock: Clock) -> int:
        """Write the minute that ended; returns how many rounds were written."""
        minute = clock.now().replace(second=0, microsecond=0)
        if self._minute is not None and minute > self._minute:
            seen = self._take(rounds.all(), self._minute)
            # A worker that takes no ballots, because its clock is wrong, has nothing to say for the minute.
            self._waiting = (self._minute, seen) if clock.trustworthy and seen else None
        self._minute = minute
        if self._waiting is None:
            return 0
        await outage_store.add_heartbeats(pool, self._worker, *self._waiting)
        written, self._waiting = len(self._waiting[1]), None
        return written

    def _take(self, rounds: Iterable[FrozenRound], minute: datetime) -> dict[int, Minute]:
        """Counts of the ended minute for every round that was open in it and has an outage rule."""
        people, codes = self._people, self._codes
        self._people, self._codes = defaultdict(dict), defaultdict(dict)
        return {
            each.number: _minute(people.get(each.number, {}), codes.get(each.number, {}))
            for each in rounds
            if each.rules.outage is not None and _open_within(each, minute)
        }


def _note(seen: dict[bytes, bool], who: bytes, *, well: bool) -> None:
    if len(seen) < _PEOPLE_MAX or who in seen:
        seen[who] = well


def _minute(people: Mapping[bytes, bool], codes: Mapping[bytes, bool]) -> Minute:
    answered, sent = sum(people.values()), sum(codes.values())
    return Minute(answered, len(people) - answered, sent, len(codes) - sent)


def _open_within(frozen: FrozenRound, minute: datetime) -> bool:
    opens, closes = frozen.opens, frozen.closes
    return opens is not None and closes is not None and opens < minute + MINUTE and minute < closes

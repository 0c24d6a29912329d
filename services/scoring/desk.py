"""What every act of this service works with: the pool, the staff's door, the clock, the keys, and the rounds.

Built once in `app.py`; handlers find it with `desk_of`. Rounds are read anew only when their version changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, cast

from litestar import Request

from services.scoring import store
from services.scoring.exports.files import Shelf
from services.scoring.panels import store as panel_store
from services.scoring.panels.conflicts import conflicts
from services.scoring.reasons import Reason
from services.scoring.rounds import Round, read_round
from services.scoring.settings import ScoringSettings
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.shared.keys import derive
from services.shared.pages import Pages
from services.shared.postgres import Connection, Pool
from services.shared.staff import StaffDoor

_ROUND_ID = re.compile(r"[a-z0-9-]{1,64}")
_ROUNDS_CACHED_MAX = 64


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys derived from the secret shared with voting, each for one purpose."""

    tallies: bytes
    pseudonyms: bytes

    @classmethod
    def of(cls, secret: bytes) -> Keys:
        return cls(tallies=derive(secret, "tallies"), pseudonyms=derive(secret, "expert pseudonyms"))


@dataclass(frozen=True, slots=True)
class Desk:
    """The service's tools; holds no state but a cache of rounds."""

    pool: Pool
    door: StaffDoor
    clock: Clock
    keys: Keys
    settings: ScoringSettings
    shelf: Shelf = field(default_factory=Shelf)
    _rounds: dict[str, tuple[store.RoundState, Round]] = field(default_factory=dict)

    async def round(self, round_id: str, connection: Connection | None = None) -> Round:
        """The round as newest known; raises Refusal `unknown_round`."""
        reader = connection or self.pool
        state = await store.round_state(reader, round_id) if _ROUND_ID.fullmatch(round_id) else None
        if state is None:
            raise Refusal(Reason.UNKNOWN_ROUND, "No round has this identifier; check the address.")
        known = self._rounds.get(round_id)
        if known is not None and known[0] == state:
            return known[1]
        found = await self._read(reader, round_id)
        if len(self._rounds) >= _ROUNDS_CACHED_MAX:
            self._rounds.clear()
        # What was read may be newer than the state asked for; then the next look reads it once more, never an old one.
        self._rounds[round_id] = (state, found)
        return found

    async def _read(self, reader: Connection | Pool, round_id: str) -> Round:
        body = await store.round_message(reader, round_id)
        assert body is not None
        bare = read_round(body)
        people = await panel_store.facts_of_experts(reader, round_id)
        tied = conflicts(people, bare.message.candidates, await panel_store.lifted(reader, round_id))
        return replace(bare, seats=await panel_store.seats(reader, round_id), conflicts=tied)

    async def rounds(self) -> list[Round]:
        """Every round, newest name first; not the rehearsals that were taken out of view."""
        found = [await self.round(round_id) for round_id in await store.round_ids(self.pool)]
        return [each for each in found if each.message.removed_at is None]


def desk_of(request: Request[Any, Any, Any]) -> Desk:
    return cast(Desk, request.app.state.desk)


def pages_of(request: Request[Any, Any, Any]) -> Pages:
    return cast(Pages, request.app.state.pages)

"""Extending the window by the outage rule: decided by the elected process, once a minute, from the heartbeats.

Sealing comes after it in the same loop and under the same lock, so that no tally is sealed over an outage that was not
judged yet. An extension is published as an event, told to the registry in the same transaction, and never taken back; a
round closed by hand is not extended.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from services.shared import outbox
from services.shared.messages import VOTING_WINDOWS, WindowMessage
from services.shared.postgres import Pool, transaction
from services.voting import metrics, outage_store
from services.voting.outage import Failure, Window, find_failure, judged
from services.voting.rounds import FrozenRound, RoundBook
from services.voting.tally import LOCK_CLASS


class Extender:
    """One per process; remembers how far each round was judged, so that most looks cost nothing."""

    def __init__(self, pool: Pool, rounds: RoundBook) -> None:
        self._pool, self._rounds = pool, rounds
        self._judged: dict[int, tuple[datetime, datetime]] = {}

    async def extend_once(self, now: datetime) -> int:
        """Judge what is new since the last time; returns how many windows were extended."""
        extended = 0
        for frozen in self._rounds.all():
            # A long outage may take a bite out of the added time too: until nothing is found.
            while await self._extend(frozen, now):
                extended += 1
                await self._rounds.refresh()
                frozen = self._rounds.by_number(frozen.number) or frozen
        return extended

    async def _extend(self, frozen: FrozenRound, now: datetime) -> bool:
        window, rule = _window(frozen), frozen.rules.outage
        if window is None or rule is None or now < window.opens:
            return False
        first, end = judged(rule, window, now)
        if first >= end or self._judged.get(frozen.number) == (window.closes, end):
            return False
        since = first if window.newest is None else min(first, window.newest.failed_until)
        minutes = await outage_store.minutes(self._pool, frozen.number, since, end)
        failure = find_failure(rule, window, minutes, now)
        if failure is None:
            self._judged[frozen.number] = (window.closes, end)
            return False
        return await self._decide(frozen, window, failure, timedelta(minutes=rule.extend_minutes))

    async def _decide(self, frozen: FrozenRound, window: Window, failure: Failure, by: timedelta) -> bool:
        number = len(frozen.extensions) + 1
        async with transaction(self._pool) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS + 1, frozen.number)
            done = await outage_store.extend(
                connection, frozen.number, number, window.closes, window.closes + by, failure
            )
            if done is None:
                return False
            told = WindowMessage(frozen.id, done.number, done.closes, frozen.extension_event(done))
            await outbox.append(connection, VOTING_WINDOWS, told)
        metrics.extensions_total.inc()
        return True


def _window(frozen: FrozenRound) -> Window | None:
    """The window to judge; None where nothing can extend it any more."""
    opens, closes = frozen.opens, frozen.closes
    if opens is None or closes is None or frozen.sealed_at is not None or frozen.message.closed_early_at is not None:
        return None
    return Window(opens, closes, frozen.watched_from, frozen.extensions[-1] if frozen.extensions else None)

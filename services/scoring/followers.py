"""What this service keeps of the others' streams: rounds, accounts, tallies. Each runs in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.scoring import metrics, store, tally_store
from services.scoring.rankings import open_tally
from services.shared.messages import Message, ReopenedMessage, RoundMessage, TallyMessage
from services.shared.postgres import Connection


async def apply_round(connection: Connection, message: Message) -> None:
    """Follower of `registry.rounds`: keep the newest version of a round."""
    assert isinstance(message, RoundMessage)
    await store.put_round(connection, message)


def tally_applier(key: bytes) -> Callable[[Connection, Message], Awaitable[None]]:
    """Follower of `voting.tallies`: what happened to ballots since a tally, and tallies, kept only when they open.

    A tally under another key stops this follower where it is, which its lag shows, instead of being lost.
    """

    async def apply_tally(connection: Connection, message: Message) -> None:
        if isinstance(message, ReopenedMessage):
            await tally_store.put_reopening(connection, message)
            return
        assert isinstance(message, TallyMessage)
        open_tally(key, message.round, message.sealed, message.digest)
        if await tally_store.put(connection, message):
            metrics.scoring_tallies_total.inc()

    return apply_tally

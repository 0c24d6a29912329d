"""What this service keeps of the others' streams: rounds, accounts, sealed tallies. Each runs in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.scoring import metrics, store
from services.scoring.rankings import open_tally
from services.shared.messages import Message, RoundMessage, TallyMessage
from services.shared.postgres import Connection


async def apply_round(connection: Connection, message: Message) -> None:
    """Follower of `registry.rounds`: keep the newest version of a round."""
    assert isinstance(message, RoundMessage)
    await store.put_round(connection, message)


def tally_applier(key: bytes) -> Callable[[Connection, Message], Awaitable[None]]:
    """Follower of `voting.tallies` that keeps a sealed tally only when it can be opened.

    A tally under another key stops this follower where it is, which its lag shows, instead of being lost.
    """

    async def apply_tally(connection: Connection, message: Message) -> None:
        assert isinstance(message, TallyMessage)
        open_tally(key, message.round, message.sealed, message.digest)
        if await store.put_tally(connection, message):
            metrics.scoring_tallies_total.inc()

    return apply_tally

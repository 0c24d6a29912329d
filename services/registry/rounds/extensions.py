"""Windows that voting extended after an outage: the registry keeps each as it is told, and shows the later end.

Invariant: an extension is applied once, in its order, and never changes.
"""

from services.registry.log.record import record
from services.registry.rounds import store
from services.shared.messages import Message, WindowMessage
from services.shared.postgres import Connection


async def apply_window(connection: Connection, message: Message) -> None:
    """Follower of `voting.windows`; a round that is unknown here changes nothing."""
    assert isinstance(message, WindowMessage)
    await store.lock_round(connection, message.round)
    if await store.add_extension(connection, message):
        await record(
            connection, message.event.at, "voting", "round.extended", "round", message.round,
            round_id=message.round, after={"closes_at": message.closes_at.isoformat(), "why": message.event.detail},
        )  # fmt: skip

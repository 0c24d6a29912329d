"""Channels in PostgreSQL."""

from datetime import datetime

from services.registry.log.record import record
from services.registry.units.channels import ChannelLine, NewChannel
from services.shared.postgres import Pool, transaction


async def all_channels(pool: Pool) -> list[ChannelLine]:
    """Every channel, by its name in code; there are dozens at most."""
    rows = await pool.fetch("SELECT channel, name, kind, closed_at FROM channels ORDER BY channel")
    return [ChannelLine(**dict(row)) for row in rows]


async def add(pool: Pool, wanted: NewChannel, actor: str, now: datetime) -> ChannelLine | None:
    """A new channel, or None where its name in code is taken."""
    async with transaction(pool) as connection:
        made = await connection.fetchval(
            "INSERT INTO channels (channel, name, kind, created_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING RETURNING true",
            wanted.channel, wanted.name, wanted.kind, now,
        )  # fmt: skip
        if not made:
            return None
        after = {"name": wanted.name, "kind": wanted.kind}
        await record(connection, now, actor, "channel.added", "channel", wanted.channel, after=after)
    return ChannelLine(wanted.channel, wanted.name, wanted.kind, None)


async def close(pool: Pool, channel: str, actor: str, now: datetime) -> ChannelLine | None:
    """Close a channel to new units; None where it is unknown or closed already."""
    async with transaction(pool) as connection:
        row = await connection.fetchrow(
            "UPDATE channels SET closed_at = $2 WHERE channel = $1 AND closed_at IS NULL"
            " RETURNING channel, name, kind, closed_at",
            channel,
            now,
        )
        if row is None:
            return None
        await record(connection, now, actor, "channel.closed", "channel", channel)
    return ChannelLine(**dict(row))

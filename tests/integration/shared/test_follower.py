"""The checkpointed follower: each message once in effect, gaps asked for, lag told honestly."""

from __future__ import annotations

import asyncio
import math

import pytest

from services.shared import outbox
from services.shared.messages import Message, StaffMessage, encode
from services.shared.outbox import Follower, Relay, heartbeat_key, lag_s, replay_key
from services.shared.postgres import Connection, transaction
from services.shared.staff import apply_staff
from tests.integration.shared.conftest import STREAM, Channel, account, note


async def test_effect_and_checkpoint_are_one_transaction(channel: Channel) -> None:
    """A handler that raises after it wrote leaves neither its row nor a moved checkpoint."""
    failures = [True]

    async def fail_once(connection: Connection, message: Message) -> None:
        await note(connection, message)
        if isinstance(message, StaffMessage) and message.staff == "s2" and failures:
            failures.pop()
            raise RuntimeError("after the write, before the commit")

    follower = Follower(channel.read_model, channel.redis, STREAM, fail_once)
    await channel.publish(1, 2, 3)
    await channel.relay.relay_once()
    with pytest.raises(RuntimeError):
        await follower.follow_once()
    assert await channel.applied() == ["s1"]
    assert await channel.checkpoint() == 1
    assert await follower.follow_once() == 2
    assert await channel.applied() == ["s1", "s2", "s3"]


async def test_two_followers_at_once_apply_each_message_once(channel: Channel) -> None:
    await channel.publish(*range(30))
    await channel.relay.relay_once()
    twins = [Follower(channel.read_model, channel.redis, STREAM, note) for _ in range(3)]
    await asyncio.gather(*(twin.follow_once() for twin in twins))
    await channel.carry()
    assert await channel.applied() == [f"s{number}" for number in range(30)]


async def test_a_gap_makes_a_replay_and_the_follower_waits_for_it(channel: Channel) -> None:
    await channel.publish(1)
    await channel.carry()
    await channel.publish(2, 3)
    await channel.relay.relay_once()
    await channel.redis.xdel(STREAM, "2-0")
    assert await channel.follower.follow_once() == 0
    assert await channel.redis.exists(replay_key(STREAM)) == 1
    assert await channel.applied() == ["s1"]
    await channel.carry()
    assert await channel.applied() == ["s1", "s2", "s3"]


async def test_a_gap_inside_a_batch_stops_before_it(channel: Channel) -> None:
    await channel.publish(1, 2, 3)
    await channel.relay.relay_once()
    await channel.redis.xdel(STREAM, "2-0")
    assert await channel.follower.follow_once() == 1
    assert await channel.applied() == ["s1"]


async def test_a_restored_publisher_makes_its_follower_start_over(channel: Channel) -> None:
    """The publisher's database went back to an older backup: its messages are whole states, so all are read again."""
    follower = Follower(channel.read_model, channel.redis, STREAM, apply_staff)
    await channel.publish(1, 2, 3)
    await channel.relay.relay_once()
    await follower.follow_once()
    await channel.redis.flushall()
    await channel.redis.hset(heartbeat_key(STREAM), mapping={"n": 1, "at": "2026-11-22T00:00:00+00:00"})
    await channel.redis.xadd(STREAM, {"body": encode(account(9))}, id="1-0")
    assert await follower.follow_once() == 1
    assert await channel.checkpoint() == 0
    assert await follower.follow_once() == 1
    assert await channel.checkpoint() == 1
    assert await channel.read_model.fetchval("SELECT count(*) FROM staff WHERE staff = 's9'") == 1


async def test_a_restored_publisher_that_caught_up_is_noticed_by_its_epoch(channel: Channel) -> None:
    """Restored to message 1 and quicker than any follower: its numbers are ahead again, two of them with other content.

    A database of the same rows on the same server stands for the restored one.
    """
    follower = Follower(channel.read_model, channel.redis, STREAM, apply_staff)
    await channel.publish(1, 2, 3)
    await channel.relay.relay_once()
    await follower.follow_once()
    async with channel.restored_publisher() as pool:
        for number in (1, 8, 9, 10):
            async with transaction(pool) as connection:
                await outbox.append(connection, STREAM, account(number))
        assert await Relay(pool, channel.redis, STREAM).relay_once() == 4
        assert await follower.follow_once() == 1
        assert await channel.checkpoint() == 0
        assert await follower.follow_once() == 4
        assert await follower.follow_once() == 0
    found = await channel.read_model.fetch("SELECT staff FROM staff WHERE staff = ANY($1)", ["s8", "s9", "s10"])
    assert len(found) == 3


async def test_the_epoch_of_a_database_is_the_same_after_a_wipe_and_a_restart(channel: Channel) -> None:
    await channel.publish(1, 2)
    await channel.carry()
    await channel.redis.flushall()
    await Relay(channel.outbox, channel.redis, STREAM).relay_once()
    await channel.follower.follow_once()
    assert await channel.applied() == ["s1", "s2"]
    assert await channel.checkpoint() == 2


async def test_a_heartbeat_of_a_relay_that_knows_no_epoch_changes_nothing(channel: Channel) -> None:
    await channel.publish(1, 2)
    await channel.carry()
    await channel.redis.hdel(heartbeat_key(STREAM), "epoch")
    assert await channel.follower.follow_once() == 0
    assert await channel.checkpoint() == 2


async def test_a_wiped_heartbeat_is_no_restored_publisher(channel: Channel) -> None:
    await channel.publish(1, 2)
    await channel.carry()
    await channel.redis.flushall()
    assert await channel.follower.follow_once() == 0
    assert await channel.checkpoint() == 2


async def test_an_older_version_of_an_account_never_replaces_a_newer_one(channel: Channel) -> None:
    async with channel.read_model.acquire() as connection:
        await apply_staff(connection, account(1, version=3, name="新名"))
        await apply_staff(connection, account(1, version=2, name="旧名"))
    assert await channel.read_model.fetchval("SELECT name FROM staff WHERE staff = 's1'") == "新名"


async def test_lag_is_infinite_until_the_follower_was_complete_once(channel: Channel) -> None:
    assert math.isinf(await lag_s(channel.read_model, STREAM))
    await channel.publish(1)
    await channel.relay.relay_once()
    await channel.follower.follow_once()
    assert 0 <= await lag_s(channel.read_model, STREAM) < 5


async def test_lag_grows_while_the_publisher_is_silent(channel: Channel) -> None:
    """The heartbeat stands still with its publisher, however often the follower looks."""
    await channel.carry()
    await channel.read_model.execute("UPDATE stream_checkpoints SET complete_at = complete_at - interval '1 hour'")
    stale = "2026-01-01T00:00:00+00:00"
    await channel.redis.hset(heartbeat_key(STREAM), mapping={"n": 0, "at": stale})
    await channel.follower.follow_once()
    assert await lag_s(channel.read_model, STREAM) > 3000


async def test_lag_does_not_shrink_while_messages_are_missing(channel: Channel) -> None:
    await channel.publish(1)
    await channel.carry()
    await channel.read_model.execute("UPDATE stream_checkpoints SET complete_at = complete_at - interval '1 hour'")
    await channel.publish(2)
    await channel.relay.relay_once()
    await channel.redis.delete(STREAM)
    await channel.follower.follow_once()
    assert await lag_s(channel.read_model, STREAM) > 3000

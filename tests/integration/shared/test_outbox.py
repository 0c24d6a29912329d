"""The outbox and its relay: dense numbers in commit order, and streams that survive being wiped."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ValkeyAway

from services.shared import outbox
from services.shared.messages import decode
from services.shared.outbox import Relay, heartbeat_key, replay_key
from tests.integration.shared.conftest import STREAM, Channel, account


async def test_messages_get_dense_numbers_that_are_their_stream_ids(channel: Channel) -> None:
    await channel.publish(1, 2, 3)
    assert await channel.relay.relay_once() == 3
    assert await channel.numbers() == [1, 2, 3]
    assert await channel.entries() == ["1-0", "2-0", "3-0"]
    assert await channel.relay.relay_once() == 0


async def test_a_rolled_back_message_takes_no_number(channel: Channel) -> None:
    await channel.publish(1)
    async with channel.outbox.acquire() as connection:
        act = connection.transaction()
        await act.start()
        await outbox.append(connection, STREAM, account(2))
        await act.rollback()
    await channel.publish(3)
    await channel.carry()
    assert await channel.applied() == ["s1", "s3"]
    assert await channel.checkpoint() == 2


async def test_a_lower_id_that_commits_late_is_not_skipped(channel: Channel) -> None:
    """Row 1 is written first and commits last: whoever followed by id would never read it."""
    async with channel.outbox.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await outbox.append(slow, STREAM, account(1))
        await channel.publish(2)
        await channel.carry()
        assert await channel.applied() == []
        await late.commit()
    await channel.carry()
    assert sorted(await channel.applied()) == ["s1", "s2"]
    assert await channel.numbers() == [1, 2]


async def test_what_committed_before_an_open_transaction_does_not_wait_for_it(channel: Channel) -> None:
    await channel.publish(1)
    async with channel.outbox.acquire() as slow:
        open_one = slow.transaction()
        await open_one.start()
        await outbox.append(slow, STREAM, account(2))
        await channel.carry()
        assert await channel.applied() == ["s1"]
        await open_one.rollback()


async def test_two_relays_at_once_number_nothing_twice(channel: Channel) -> None:
    """During a change of leader two processes may relay: numbers stay dense, the stream whole."""
    relays = [Relay(channel.outbox, channel.redis, STREAM) for _ in range(3)]

    async def write() -> None:
        for number in range(40):
            await channel.publish(number)

    async def relay(one: Relay) -> None:
        for _ in range(30):
            await one.relay_once()

    await asyncio.gather(write(), *(relay(one) for one in relays))
    await channel.carry()
    assert sorted(number or 0 for number in await channel.numbers()) == list(range(1, 41))
    assert await channel.entries() == [f"{n}-0" for n in range(1, 41)]
    assert await channel.applied() == [f"s{number}" for number in range(40)]


async def test_a_crash_between_commit_and_publish_loses_nothing(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbered and not yet in Valkey: the next relay, in another process, publishes it."""

    async def crash(*_: object, **__: object) -> None:
        raise ValkeyAway("the process ended here")

    await channel.publish(1, 2)
    with monkeypatch.context() as broken:
        broken.setattr(Redis, "xadd", crash)
        with pytest.raises(ValkeyAway):
            await channel.relay.relay_once()
    assert await channel.numbers() == [1, 2]
    assert await channel.entries() == []
    assert await Relay(channel.outbox, channel.redis, STREAM).relay_once() == 2
    await channel.carry()
    assert await channel.applied() == ["s1", "s2"]


@pytest.mark.parametrize("wipe", ["stream", "everything"])
async def test_a_wiped_stream_is_refilled_and_nothing_is_applied_twice(channel: Channel, wipe: str) -> None:
    await channel.publish(1, 2, 3)
    await channel.carry()
    await (channel.redis.delete(STREAM) if wipe == "stream" else channel.redis.flushall())
    await channel.publish(4)
    await channel.carry()
    assert await channel.entries() == ["1-0", "2-0", "3-0", "4-0"]
    assert await channel.applied() == ["s1", "s2", "s3", "s4"]


async def test_a_stream_that_lost_an_entry_in_the_middle_is_written_anew(channel: Channel) -> None:
    await channel.publish(1, 2, 3)
    await channel.relay.relay_once()
    await channel.redis.xdel(STREAM, "2-0")
    await channel.relay.relay_once()
    assert await channel.entries() == ["1-0", "2-0", "3-0"]


async def test_a_new_follower_reads_everything_from_the_beginning(channel: Channel) -> None:
    await channel.publish(*range(1, 6))
    await channel.relay.relay_once()
    assert await channel.follower.follow_once() == 5
    assert await channel.applied() == ["s1", "s2", "s3", "s4", "s5"]


async def test_a_replay_that_was_asked_for_is_done_once(channel: Channel) -> None:
    await channel.publish(1)
    await channel.relay.relay_once()
    await channel.redis.set(replay_key(STREAM), 0)
    assert await channel.relay.relay_once() == 1
    assert await channel.redis.exists(replay_key(STREAM)) == 0
    assert await channel.relay.relay_once() == 0


async def test_the_heartbeat_tells_the_newest_number_even_when_nothing_is_new(channel: Channel) -> None:
    await channel.relay.relay_once()
    assert await channel.redis.hget(heartbeat_key(STREAM), "n") == b"0"
    await channel.publish(1)
    await channel.relay.relay_once()
    assert await channel.redis.hget(heartbeat_key(STREAM), "n") == b"1"


async def test_a_stream_carries_the_message_as_it_was_written(channel: Channel) -> None:
    await channel.publish(7)
    await channel.relay.relay_once()
    ((_, fields),) = cast(Any, await channel.redis.xrange(STREAM))
    assert decode(fields[b"body"]) == account(7)

"""A round of several shards keeps what one keeps, whichever shard knows the person, the phone or the address."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from services.shared.redis_client import open_redis
from services.voting.entry import Entry
from services.voting.reasons import Reason
from services.voting.settings import Limits
from services.voting.shards import Hint, Memory, person_of, shard_of, shard_tag
from services.voting.turnstile import Turnstile
from tests.integration.voting.test_admission import redis_url
from tests.support.entries import entry

__all__ = ["redis_url"]

LIMITS = Limits(voter=3, device=4, address=6, verified=2)
NOW_US = 1_900_000_000_000_000
SHARDS, TAG = 4, "{small:0}"


@pytest.fixture
async def turnstile(redis_url: str, operator_redis: Redis) -> AsyncIterator[Turnstile]:
    redis = open_redis(redis_url, timeout_s=5, connections_max=16, name="test")
    yield Turnstile(redis, LIMITS, timeout_ms=5000, open_ms=60_000, workers=1, shards=SHARDS)
    await redis.aclose()


def a_key_of(shard: int, length: int) -> bytes:
    """A keyed hash that belongs to this shard."""
    while shard_of(key := secrets.token_bytes(length), SHARDS) != shard:
        pass
    return key


def visitor(voter: int = 0, *, device: bytes | None = None, address: bytes = b"address1", challenge: str = "") -> Entry:
    """Somebody whose person, phone and address belong to different shards wherever they are told to."""
    return entry(tag=TAG, voter_key=a_key_of(voter, 16), device=device, address=address, challenge=challenge)


def test_shards_of_a_round_share_the_slots_of_a_cluster_evenly() -> None:
    for shards in (3, 16):
        tags = [shard_tag("{kunming-2021:0}", shard, shards) for shard in range(shards)]
        assert [key_slot(tag.encode()) * shards // 16384 for tag in tags] == list(range(shards))
    assert shard_tag("{kunming-2021:0}", 0, 1) == "{kunming-2021:0}"


async def test_limits_of_a_phone_and_an_address_hold_over_voters_of_all_shards(turnstile: Turnstile) -> None:
    device = a_key_of(1, 8)
    people = [visitor(k % SHARDS, device=device, address=secrets.token_bytes(8)) for k in range(LIMITS.device + 2)]
    decisions = await turnstile.check(people, [], NOW_US)
    assert decisions == [None] * LIMITS.device + [Reason.CHALLENGE_REQUIRED] * 2
    await turnstile.note_verified(TAG, b"address2", NOW_US)
    crowd = [visitor(k % SHARDS, address=b"address2") for k in range(LIMITS.address + LIMITS.verified + 1)]
    assert (await turnstile.check(crowd, [], NOW_US)).count(Reason.CHALLENGE_REQUIRED) == 1
    solved = visitor(2, device=device, address=b"address2", challenge="c")
    assert await turnstile.check([solved], [], NOW_US) == [None]
    assert await turnstile.check([solved], [], NOW_US) == [Reason.CHALLENGE_REQUIRED], "a challenge is good once"


async def test_a_repeat_of_a_recorded_ballot_is_charged_to_no_limit(turnstile: Turnstile) -> None:
    """The phone's shard cannot know in time that the person's has a hint; it is given back with the next batch."""
    voter, hint = visitor(0, device=a_key_of(1, 8), address=a_key_of(2, 8)), Hint(b"b" * 16, b"\0\1", b"r" * 12, 7, 8)
    told = [Memory(TAG, person_of(voter), hint)]
    for _ in range(3 * LIMITS.address):
        assert await turnstile.check([voter], told, NOW_US) == [hint]
    neighbours = [visitor(3, device=voter.device, address=voter.address or b"") for _ in range(LIMITS.device)]
    assert await turnstile.check(neighbours, [], NOW_US) == [None] * LIMITS.device


async def test_who_is_asked_for_a_challenge_spends_no_attempt_of_the_person(turnstile: Turnstile) -> None:
    crowded = a_key_of(2, 8)
    await turnstile.check([visitor(1, address=crowded) for _ in range(LIMITS.address)], [], NOW_US)
    voter = visitor(0, address=crowded)
    for _ in range(3 * LIMITS.voter):
        assert await turnstile.check([voter], [], NOW_US) == [Reason.CHALLENGE_REQUIRED]
    voter.address = a_key_of(3, 8)
    assert await turnstile.check([voter] * (LIMITS.voter + 1), [], NOW_US) == [
        *[None] * LIMITS.voter, Reason.TOO_MANY_ATTEMPTS,
    ]  # fmt: skip


async def test_a_shard_that_fails_is_stood_in_for_and_the_others_go_on(
    turnstile: Turnstile, operator_redis: Redis
) -> None:
    """A key of the wrong kind makes one shard's script fail; only its people are limited in the process."""
    broken = shard_tag(TAG, 1, SHARDS)
    await operator_redis.set(f"{broken}:hints", "not a hash")
    known, hint = visitor(2, address=a_key_of(2, 8)), Hint(b"b" * 16, b"\0\1", b"r" * 12, 7, 8)
    lost = visitor(1, address=a_key_of(2, 8))
    decisions = await turnstile.check([known, lost], [Memory(TAG, person_of(known), hint)], NOW_US)
    assert decisions == [hint, None]
    assert not turnstile.available
    assert await turnstile.check([known], [], NOW_US) == [hint], "the other shards' breakers stay closed"
    again = await turnstile.check([lost] * LIMITS.voter, [], NOW_US)
    assert again == [None] * (LIMITS.voter - 1) + [Reason.TOO_MANY_ATTEMPTS]

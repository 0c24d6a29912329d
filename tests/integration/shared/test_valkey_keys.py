"""What stands in Valkey goes away by itself: only streams and what speaks about them may live without an end."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from services.cli.people import solve
from services.cli.supervisor import PlatformServers
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, SCORING_RANKINGS, VOTING_TALLIES, VOTING_WINDOWS
from services.shared.outbox import heartbeat_key, replay_key
from tests.integration.shared.conftest import Channel
from tests.integration.voting.conftest import Voting, clock, settings_changes, voting
from tests.support.rounds import round_message, rules_text
from tests.support.waiting import wait_until

__all__ = ["clock", "settings_changes", "voting"]
STREAMS = (REGISTRY_ROUNDS, REGISTRY_STAFF, VOTING_TALLIES, VOTING_WINDOWS, SCORING_RANKINGS)
ENDLESS = {name for stream in STREAMS for name in (stream, heartbeat_key(stream), replay_key(stream))}


async def endless_keys(redis: Redis) -> set[str]:
    client: Any = redis
    return {key.decode() async for key in client.scan_iter() if await client.ttl(key) == -1}


async def test_every_key_of_a_vote_has_an_end(voting: Voting, operator_redis: Redis) -> None:
    """Hints, attempts, devices, addresses, challenges and allowances, after every kind of answer."""
    await voting.add_round(round_message(rules_text()))
    citizen = voting.citizen()
    await citizen.sign_in()
    for choices in (["c1"], ["c1"], ["c2"], ["nobody"]):
        await citizen.vote(choices, ballot_id="6f1f5e6e-5d1f-4a53-8f0e-2a4b3b1c9d10")
    other = voting.citizen()
    await other.sign_in()
    challenge = (await voting.http.get("/api/voting/v1/rounds/small/challenge")).json()
    await other.vote(["c1"], altcha=solve(challenge))

    async def hinted() -> bool:
        found: Any = operator_redis
        return bool([key async for key in found.scan_iter(match="{small:0}:*")])

    await wait_until(hinted, 5, "Valkey knows of the votes")
    assert await endless_keys(operator_redis) <= ENDLESS


async def test_streams_leave_nothing_beside_them(channel: Channel) -> None:
    """Also after a rebuild, which writes aside first."""
    await channel.publish(1, 2)
    await channel.carry()
    await channel.redis.set(replay_key(REGISTRY_STAFF), 1)
    await channel.publish(3)
    await channel.carry()
    assert await endless_keys(channel.redis) <= ENDLESS


async def test_a_service_may_touch_its_own_keys_only(servers: PlatformServers, operator_redis: Redis) -> None:
    """One account a service: voting cannot forge a round, and nobody reads the limits of voters but voting."""
    async with Redis.from_url(servers.environment["VOTING_REDIS_URL"]) as own:
        await own.set("{small:0}:x", 1, ex=5)
        for forbidden in (own.xadd(REGISTRY_ROUNDS, {"body": b"x"}), own.flushall(), own.delete(SCORING_RANKINGS)):
            with pytest.raises(NoPermissionError):
                await forbidden
    async with Redis.from_url(servers.environment["SCORING_REDIS_URL"]) as other:
        with pytest.raises(NoPermissionError):
            await other.get("{small:0}:x")

"""Proofs of work of busy addresses: good once, for what they were made for, at the level that is asked for now."""

from __future__ import annotations

from datetime import timedelta

from services.registry import challenge_store
from services.registry.challenges import Challenges
from tests.integration.registry.conftest import Registry
from tests.support.registry_lists import solved

SECRET = b"s" * 32


async def test_a_solution_is_good_once_and_for_its_own_subject(registry: Registry) -> None:
    pool, now = registry.parts.pool, registry.parts.clock.now()
    challenges = Challenges(SECRET, "test", lifetime_s=600)
    solution = await solved(challenges.make("small", 0))
    assert challenges.check(solution, "large") is None
    assert Challenges(SECRET, "other", lifetime_s=600).check(solution, "small") is None
    found = challenges.check(solution, "small")
    assert found is not None
    assert await challenges.spend(pool, found, 0, now)
    assert not await challenges.spend(pool, found, 0, now)
    assert not await challenges.spend(pool, None, 0, now)


async def test_an_easier_solution_is_not_used_up(registry: Registry) -> None:
    """Whoever worked at level 0 while the address became busy is asked again, and loses nothing by having tried."""
    pool, now = registry.parts.pool, registry.parts.clock.now()
    challenges = Challenges(SECRET, "test", lifetime_s=600)
    found = challenges.check(await solved(challenges.make("small", 0)), "small")
    assert not await challenges.spend(pool, found, 1, now)
    assert await challenges.spend(pool, found, 0, now)


async def test_used_ones_are_forgotten_when_they_have_expired(registry: Registry) -> None:
    pool, now = registry.parts.pool, registry.parts.clock.now()
    challenges = Challenges(SECRET, "test", lifetime_s=600)
    found = challenges.check(await solved(challenges.make("small", 0)), "small")
    assert await challenges.spend(pool, found, 0, now)
    assert await challenge_store.sweep(pool, now + timedelta(seconds=599)) == 0
    assert await challenge_store.sweep(pool, now + timedelta(seconds=601)) == 1

"""Valkey's hints made again from the ledger, after a wipe or a restore. Called by `pingxuan rebuild hints`.

Nothing depends on it: without hints every repeat costs a look-up in the ledger. Allowances begin afresh by themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from services.shared.errors import PingxuanError
from services.shared.postgres import Pool
from services.voting import ledger
from services.voting.admission import memory_of
from services.voting.rounds import FrozenRound
from services.voting.shards import Memory
from services.voting.turnstile import Turnstile

CHUNK = 500


class ValkeyAway(PingxuanError):
    """Valkey does not answer; what was written stays right."""


async def rebuild_hints(pool: Pool, turnstile: Turnstile, frozen: FrozenRound) -> int:
    """Write a hint for each ballot of a round; returns how many. Raises ValkeyAway."""
    turnstile.epoch = await ledger.epoch(pool)
    written = 0
    async for memories in _memories(pool, frozen):
        await turnstile.check([], memories, round(datetime.now(UTC).timestamp() * 1_000_000))
        if not turnstile.available:
            raise ValkeyAway("Valkey does not answer: start it, then repeat the command")
        written += len(memories)
    return written


async def _memories(pool: Pool, frozen: FrozenRound) -> AsyncIterator[list[Memory]]:
    chunk: list[Memory] = []
    async for voter_key, period, reissue, recorded in ledger.all_ballots(pool, frozen.number):
        chunk.append(memory_of(frozen.tag, (voter_key, period, reissue), recorded))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

"""The turnstile: Valkey's fast opinion on a batch, and in-process limits while Valkey is away.

It makes us fast and polite, never right: a hint spares the ledger a duplicate, an allowance asks for a challenge.
Called by `admission.py` only. A failure or a reply later than the timeout opens a breaker, for the shard it happened
in; the limits divided by the number of workers then stand in for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.shared.redis_client import REDIS_FAILURES
from services.voting import metrics
from services.voting.entry import Entry
from services.voting.local_limits import LocalLimits
from services.voting.settings import Limits
from services.voting.shards import (
    PERSON,
    Answer,
    Call,
    Decision,
    Hint,
    Memory,
    join,
    shard_of,
    shard_tag,
    spent_for_nothing,
    split,
)

_SCRIPT = (Path(__file__).parent / "lua" / "turnstile.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_GIVEN_BACK_MAX = 1000
HINT_LIFETIME_S = 14 * 24 * 3600
CHALLENGE_LIFETIME_S = 900
_VERIFIED_LIFETIME_S = 48 * 3600


def _count(decisions: Sequence[Decision]) -> None:
    """By word, once a batch: nearly all of them have passed."""
    passed = decisions.count(None)
    _counters[metrics.TurnstileWord.PASSED].inc(passed)
    if passed < len(decisions):
        for decision in decisions:
            if isinstance(decision, Hint):
                _counters[metrics.TurnstileWord.KNOWN].inc()
            elif decision is not None:
                _counters[metrics.TurnstileWord(decision.value)].inc()


_counters = {word: metrics.turnstile_decisions_total.labels(word) for word in metrics.TurnstileWord}


def verified_key(tag: str, now_us: int) -> str:
    """The hash that counts the voters verified on a day (UTC) behind each address."""
    return f"{tag}:verified:{now_us // _DAY_US}"


class Turnstile:
    """One door for all batches of a process; `shards` is the same for all processes."""

    def __init__(
        self, redis: Redis, limits: Limits, *, timeout_ms: int, open_ms: int, workers: int, shards: int = 1
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._timeout_s, self._open_s = timeout_ms / 1000, open_ms / 1000
        self._closed_until = [0.0] * shards
        self._local = LocalLimits(limits, workers)
        self._given_back: dict[str, list[bytes]] = {}
        self.epoch = bytes(16)

    @property
    def shards(self) -> int:
        return len(self._closed_until)

    @property
    def available(self) -> bool:
        """False while the breaker of any shard is open."""
        return time.monotonic() >= max(self._closed_until)

    async def check(self, entries: Sequence[Entry], memories: Sequence[Memory], now_us: int) -> list[Decision]:
        """Decisions in the order of `entries`; `memories` are hints of what was recorded before."""
        calls = list(split(entries, memories, self.shards).values())
        if len(calls) == 1:
            told = [await self._ask_in_time(calls[0], now_us)]
        else:
            told = await asyncio.gather(*(self._ask_in_time(call, now_us) for call in calls))
        answered = [
            (call, self._decide_here(call, entries, now_us) if answer is None else answer)
            for call, answer in zip(calls, told, strict=True)
        ]
        decisions = join(len(entries), answered)
        if self.shards > 1:
            asked = [(call, answer) for call, answer in zip(calls, told, strict=True) if answer is not None]
            self._keep_given_back(spent_for_nothing(asked, decisions))
        _count(decisions)
        return decisions

    def _decide_here(self, call: Call, entries: Sequence[Entry], now_us: int) -> Answer:
        metrics.turnstile_local_total.inc(sum(flags & PERSON > 0 for flags in call.flags))
        return self._local.answer(call, [entries[place] for place in call.places], now_us)

    async def _ask_in_time(self, call: Call, now_us: int) -> Answer | None:
        """Valkey's answer to one call; None where its shard fails or is late, and the breaker opens."""
        if time.monotonic() < self._closed_until[call.shard]:
            return None
        began = time.perf_counter()
        call.given_back = self._given_back.pop(call.tag, [])
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._ask(call, now_us)
        except REDIS_FAILURES:
            self._open_breaker(call.shard)
            return None
        metrics.turnstile_seconds.observe(time.perf_counter() - began)
        return answer

    def _open_breaker(self, shard: int) -> None:
        self._closed_until[shard] = time.monotonic() + self._open_s
        metrics.turnstile_breaker_total.inc()

    def _keep_given_back(self, found: Mapping[str, list[bytes]]) -> None:
        """For the next batch that asks the same shard. Bounded: what is lost only makes a limit a little stricter."""
        for tag, records in found.items():
            waiting = self._given_back.setdefault(tag, [])
            waiting += records[: _GIVEN_BACK_MAX - len(waiting)]

    async def _ask(self, call: Call, now_us: int) -> Answer:
        """One call of the script: all its keys share the tag of the round's shard."""
        limits, tag, minute = self._limits, call.tag, now_us // _MINUTE_US
        keys = [f"{tag}:hints", f"{tag}:attempts:{minute}", f"{tag}:attempts:{minute - 1}"]
        keys += [verified_key(tag, now_us), verified_key(tag, now_us - _DAY_US)]
        keys += [f"{tag}:challenge:{challenge}" for challenge in call.challenges]
        arguments: list[Any] = [now_us, self.epoch, HINT_LIFETIME_S, CHALLENGE_LIFETIME_S]
        arguments += [limits.voter, limits.device, limits.address, limits.verified]
        arguments.append(b"".join(call.given_back + call.records))
        for memory in call.memories:
            arguments += (memory.person, self.epoch + memory.hint.packed())
        letters, *hints = await self._evaluate(keys, arguments)
        return Answer(letters[len(call.given_back) :].decode(), hints)

    async def _evaluate(self, keys: list[str], arguments: list[Any]) -> list[bytes]:
        client: Any = self._redis
        try:
            found: list[bytes] = await client.evalsha(_DIGEST, len(keys), *keys, *arguments)
        except NoScriptError:
            # The only failure that certainly did not run: load and ask again.
            found = await client.eval(_SCRIPT, len(keys), *keys, *arguments)
        return found

    async def note_verified(self, tag: str, address: bytes, now_us: int) -> None:
        """A person was verified behind an address: its allowance grows. Lost without harm when Valkey is away."""
        shard = shard_of(address, self.shards)
        if time.monotonic() < self._closed_until[shard]:
            return
        client: Any = self._redis
        key = verified_key(shard_tag(tag, shard, self.shards), now_us)
        try:
            async with asyncio.timeout(self._timeout_s), client.pipeline(transaction=False) as pipe:
                pipe.hincrby(key, address, 1)
                pipe.expire(key, _VERIFIED_LIFETIME_S)
                await pipe.execute()
        except REDIS_FAILURES:
            self._open_breaker(shard)

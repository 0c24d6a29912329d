"""The turnstile: Valkey's fast opinion on a batch, and in-process limits while Valkey is away.

It makes us fast and polite, never right: a hint spares the ledger a duplicate, an allowance asks for a challenge.
Called by `admission.py` only. A failure or a reply later than the timeout opens a breaker; the limits divided by the
number of workers then stand in.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.shared.redis_client import REDIS_FAILURES
from services.voting import metrics
from services.voting.reasons import Reason
from services.voting.settings import Limits

_SCRIPT = (Path(__file__).parent / "lua" / "turnstile.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_MINUTE_US = 60_000_000
_LOCAL_KEYS_MAX = 100_000
HINT_LIFETIME_S = 14 * 24 * 3600


class Visitor(msgspec.Struct):
    """What the turnstile needs of one ballot: keys inside `tag`, and whether a challenge was solved."""

    tag: str
    voter: str
    period: str
    device: str
    address: str
    challenge: str = ""


class Hint(msgspec.Struct, array_like=True):
    """A recorded ballot as remembered: enough to answer a repeat without the ledger."""

    ballot_id: bytes
    choices: bytes
    receipt: bytes
    recorded_at_us: int
    index: int


Decision = Hint | Reason | None

_WORDS: dict[bytes, Reason | None] = {
    b"pass": None,
    b"challenge_required": Reason.CHALLENGE_REQUIRED,
    b"too_many_attempts": Reason.TOO_MANY_ATTEMPTS,
}
_encode_hint = msgspec.msgpack.Encoder().encode
_decode_hint = msgspec.msgpack.Decoder(Hint).decode


def hint_key(visitor: Visitor) -> str:
    return f"{visitor.tag}:hint:{visitor.voter}:{visitor.period}"


def verified_key(tag: str, address: str) -> str:
    return f"{tag}:verified:{address}"


def _keys(visitor: Visitor) -> tuple[str, ...]:
    tag = visitor.tag
    attempts = f"{tag}:voter:{visitor.voter}"
    return (
        hint_key(visitor),
        attempts,
        # Without a device cookie the address alone is the soft limit: the script skips equal keys.
        f"{tag}:device:{visitor.device}" if visitor.device else attempts,
        f"{tag}:address:{visitor.address}",
        f"{tag}:challenge:{visitor.challenge}" if visitor.challenge else f"{tag}:challenge",
    )


class Turnstile:
    """One door for all batches of a process."""

    def __init__(self, redis: Redis, limits: Limits, *, timeout_ms: int, open_ms: int, workers: int) -> None:
        self._redis = redis
        self._limits = limits
        self._timeout_s, self._open_s = timeout_ms / 1000, open_ms / 1000
        self._closed_until = 0.0
        self._local = LocalLimits(limits, workers)
        self.epoch = bytes(16)

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return time.monotonic() >= self._closed_until

    async def check(
        self, visitors: Sequence[Visitor], remember: Sequence[tuple[str, Hint]], now_us: int
    ) -> list[Decision]:
        """Decisions in the order of `visitors`; `remember` are (hint key, hint) recorded before."""
        if self.available:
            try:
                return await self._ask(visitors, remember, now_us)
            except REDIS_FAILURES:
                self._closed_until = time.monotonic() + self._open_s
                metrics.turnstile_breaker_total.inc()
        metrics.turnstile_local_total.inc(len(visitors))
        return [self._local.decide(visitor, now_us) for visitor in visitors]

    async def _ask(
        self, visitors: Sequence[Visitor], remember: Sequence[tuple[str, Hint]], now_us: int
    ) -> list[Decision]:
        limits = self._limits
        keys: list[str] = [key for visitor in visitors for key in _keys(visitor)]
        keys += [verified_key(visitor.tag, visitor.address) for visitor in visitors]
        keys += [key for key, _ in remember]
        arguments: list[Any] = [now_us, self.epoch, HINT_LIFETIME_S, limits.voter, limits.device, limits.address]
        arguments += [limits.verified, len(visitors), len(remember)]
        arguments += ["1" if visitor.challenge else "0" for visitor in visitors]
        arguments += [self.epoch + _encode_hint(hint) for _, hint in remember]
        async with asyncio.timeout(self._timeout_s):
            reply = await self._evaluate(keys, arguments)
        return [self._decision(answer) for answer in reply]

    async def _evaluate(self, keys: list[str], arguments: list[Any]) -> list[bytes]:
        client: Any = self._redis
        try:
            found: list[bytes] = await client.evalsha(_DIGEST, len(keys), *keys, *arguments)
        except NoScriptError:
            # The only failure that certainly did not run: load and ask again.
            found = await client.eval(_SCRIPT, len(keys), *keys, *arguments)
        return found

    def _decision(self, answer: bytes) -> Decision:
        if answer[:1] == b"=":
            return _decode_hint(answer[17:])
        return _WORDS[answer]

    async def note_verified(self, tag: str, address: str) -> None:
        """A person was verified behind an address: its allowance grows. Lost without harm when Valkey is away."""
        if not self.available:
            return
        client: Any = self._redis
        key = verified_key(tag, address)
        try:
            async with asyncio.timeout(self._timeout_s), client.pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, 24 * 3600)
                await pipe.execute()
        except REDIS_FAILURES:
            self._closed_until = time.monotonic() + self._open_s


class LocalLimits:
    """The same allowances inside one process, each divided by the number of workers; bounded memory."""

    def __init__(self, limits: Limits, workers: int) -> None:
        self._voter = max(1, limits.voter // workers)
        self._device = max(1, limits.device // workers)
        # Verified voters cannot be counted here: a shared address must not suffer for Valkey's absence.
        self._address = max(1, limits.address * 50 // workers)
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def _spend(self, key: str, limit: int, now_us: int) -> bool:
        arrival = max(self._arrivals.get(key, 0), now_us)
        interval = _MINUTE_US // limit
        if arrival + interval - now_us > _MINUTE_US:
            return False
        self._arrivals[key] = arrival + interval
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > _LOCAL_KEYS_MAX:
            self._arrivals.popitem(last=False)
        return True

    def decide(self, visitor: Visitor, now_us: int) -> Decision:
        calm = not visitor.device or self._spend(f"d{visitor.device}", self._device, now_us)
        calm = self._spend(f"a{visitor.tag}{visitor.address}", self._address, now_us) and calm
        if not calm and not visitor.challenge:
            return Reason.CHALLENGE_REQUIRED
        if not self._spend(f"v{visitor.tag}{visitor.voter}", self._voter, now_us):
            return Reason.TOO_MANY_ATTEMPTS
        return None

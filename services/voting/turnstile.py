"""The turnstile: Valkey's fast opinion on a batch, and in-process limits while Valkey is away.

It makes us fast and polite, never right: a hint spares the ledger a duplicate, an allowance asks for a challenge.
Called by `admission.py` only. A failure or a reply later than the timeout opens a breaker; the limits divided by the
number of workers then stand in.
"""

from __future__ import annotations

import asyncio
import struct
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
from services.voting.entry import Entry
from services.voting.reasons import Reason
from services.voting.settings import Limits

_SCRIPT = (Path(__file__).parent / "lua" / "turnstile.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_LOCAL_KEYS_MAX = 100_000
HINT_LIFETIME_S = 14 * 24 * 3600
CHALLENGE_LIFETIME_S = 900
_VERIFIED_LIFETIME_S = 48 * 3600

_PERSON = struct.Struct(">16siH")
_HINT = struct.Struct(">16s12sqq")
_NOBODY = bytes(8)
_HAS_DEVICE, _HAS_CHALLENGE = 1, 2


class Hint(msgspec.Struct):
    """A recorded ballot as remembered: enough to answer a repeat without the ledger."""

    ballot_id: bytes
    choices: bytes
    receipt: bytes
    recorded_at_us: int
    index: int

    def packed(self) -> bytes:
        return _HINT.pack(self.ballot_id, self.receipt, self.recorded_at_us, self.index) + self.choices

    @classmethod
    def unpacked(cls, raw: bytes) -> Hint:
        ballot_id, receipt, recorded_at_us, index = _HINT.unpack_from(raw)
        return cls(ballot_id, raw[_HINT.size :], receipt, recorded_at_us, index)


class Memory(msgspec.Struct):
    """A hint on its way into Valkey: the round's tag, the person in this period, the ballot."""

    tag: str
    person: bytes
    hint: Hint


Decision = Hint | Reason | None

_WORDS: dict[str, Reason | None] = {
    "p": None,
    "c": Reason.CHALLENGE_REQUIRED,
    "t": Reason.TOO_MANY_ATTEMPTS,
}


def person_of(entry: Entry) -> bytes:
    """Whom a hint is about: the voter in this period and reissue, 22 bytes."""
    return _PERSON.pack(entry.voter_key, entry.period, entry.reissue)


def verified_key(tag: str, now_us: int) -> str:
    """The hash that counts the voters verified on a day (UTC) behind each address."""
    return f"{tag}:verified:{now_us // _DAY_US}"


def _packed(entry: Entry) -> bytes:
    """One ballot as the script takes it, 39 bytes."""
    flags = (_HAS_DEVICE if entry.device else 0) | (_HAS_CHALLENGE if entry.challenge else 0)
    return b"%b%b%b%c" % (person_of(entry), entry.device or _NOBODY, entry.address or _NOBODY, flags)


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

    async def check(self, entries: Sequence[Entry], memories: Sequence[Memory], now_us: int) -> list[Decision]:
        """Decisions in the order of `entries`; `memories` are hints of what was recorded before."""
        if self.available:
            try:
                return await self._ask(entries, memories, now_us)
            except REDIS_FAILURES:
                self._closed_until = time.monotonic() + self._open_s
                metrics.turnstile_breaker_total.inc()
        metrics.turnstile_local_total.inc(len(entries))
        return [self._local.decide(entry, now_us) for entry in entries]

    async def _ask(self, entries: Sequence[Entry], memories: Sequence[Memory], now_us: int) -> list[Decision]:
        """One call per round: nearly always one, since the keys of a call share the round's hash tag."""
        tags = {entry.tag for entry in entries}
        tags.update(memory.tag for memory in memories)
        decisions: dict[int, Decision] = {}
        async with asyncio.timeout(self._timeout_s):
            for tag in tags:
                places = [place for place, entry in enumerate(entries) if entry.tag == tag]
                of_round = [entries[place] for place in places]
                told = [memory for memory in memories if memory.tag == tag]
                decisions |= zip(places, await self._ask_round(tag, of_round, told, now_us), strict=True)
        return [decisions[place] for place in range(len(entries))]

    async def _ask_round(
        self, tag: str, entries: Sequence[Entry], memories: Sequence[Memory], now_us: int
    ) -> list[Decision]:
        limits, minute = self._limits, now_us // _MINUTE_US
        keys = [f"{tag}:hints", f"{tag}:attempts:{minute}", f"{tag}:attempts:{minute - 1}"]
        keys += [verified_key(tag, now_us), verified_key(tag, now_us - _DAY_US)]
        keys += [f"{tag}:challenge:{entry.challenge}" for entry in entries if entry.challenge]
        arguments: list[Any] = [now_us, self.epoch, HINT_LIFETIME_S, CHALLENGE_LIFETIME_S]
        arguments += [limits.voter, limits.device, limits.address, limits.verified]
        arguments.append(b"".join([_packed(entry) for entry in entries]))
        for memory in memories:
            arguments += (memory.person, self.epoch + memory.hint.packed())
        letters, *hints = await self._evaluate(keys, arguments)
        following = iter(hints)
        return [Hint.unpacked(next(following)) if each == "h" else _WORDS[each] for each in letters.decode()]

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
        if not self.available:
            return
        client: Any = self._redis
        key = verified_key(tag, now_us)
        try:
            async with asyncio.timeout(self._timeout_s), client.pipeline(transaction=False) as pipe:
                pipe.hincrby(key, address, 1)
                pipe.expire(key, _VERIFIED_LIFETIME_S)
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
        self._arrivals: OrderedDict[bytes, int] = OrderedDict()

    def _spend(self, key: bytes, limit: int, now_us: int) -> bool:
        arrival = max(self._arrivals.get(key, 0), now_us)
        interval = _MINUTE_US // limit
        if arrival + interval - now_us > _MINUTE_US:
            return False
        self._arrivals[key] = arrival + interval
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > _LOCAL_KEYS_MAX:
            self._arrivals.popitem(last=False)
        return True

    def decide(self, entry: Entry, now_us: int) -> Decision:
        tag = entry.tag.encode()
        calm = entry.device is None or self._spend(b"d" + entry.device, self._device, now_us)
        calm = self._spend(b"a" + tag + (entry.address or b""), self._address, now_us) and calm
        if not calm and not entry.challenge:
            return Reason.CHALLENGE_REQUIRED
        if not self._spend(b"v" + tag + entry.voter_key, self._voter, now_us):
            return Reason.TOO_MANY_ATTEMPTS
        return None

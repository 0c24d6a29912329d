"""In-process limits: what decides while Valkey, or the shard that would know, is away. Used by `turnstile.py` only."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from services.voting.entry import Entry
from services.voting.settings import Limits
from services.voting.shards import ADDRESS, DEVICE, PERSON, Answer, Call

_MINUTE_US = 60_000_000
_LOCAL_KEYS_MAX = 100_000


class LocalLimits:
    """The same allowances inside one process, each divided by the number of workers.

    Memory is bounded, and what was spent is forgotten as soon as it weighs nothing any more: a minute later.
    """

    def __init__(self, limits: Limits, workers: int) -> None:
        self._voter = max(1, limits.voter // workers)
        self._device = max(1, limits.device // workers)
        # Verified voters cannot be counted here: a shared address must not suffer for Valkey's absence.
        self._address = max(1, limits.address * 50 // workers)
        self._arrivals: OrderedDict[bytes, int] = OrderedDict()

    def answer(self, call: Call, entries: list[Entry], now_us: int) -> Answer:
        """What turnstile.lua would say of a call, but for hints; `entries` are the call's, in its order."""
        letters = [self._letter(entry, flags, now_us) for entry, flags in zip(entries, call.flags, strict=True)]
        return Answer("".join(letters))

    def _letter(self, entry: Entry, flags: int, now_us: int) -> str:
        tag = entry.tag.encode()
        calm = True
        if flags & DEVICE and entry.device:
            calm = self._spend(b"d" + entry.device, self._device, now_us)
        if flags & ADDRESS:
            calm = self._spend(b"a" + tag + (entry.address or b""), self._address, now_us) and calm
        solved = bool(flags & PERSON and entry.challenge)
        if not calm and not solved:
            return "c"
        if flags & PERSON and not self._spend(b"v" + tag + entry.voter_key, self._voter, now_us):
            return "t"
        return "s" if solved else "p"

    def _spend(self, key: bytes, limit: int, now_us: int) -> bool:
        arrival = max(self._arrivals.get(key, 0), now_us)
        interval = _MINUTE_US // limit
        if arrival + interval - now_us > _MINUTE_US:
            return False
        self._arrivals[key] = arrival + interval
        self._arrivals.move_to_end(key)
        self._forget(now_us)
        return True

    def _forget(self, now_us: int) -> None:
        """At most two of the longest unused, so that nobody waits for it and there are never more than are in use."""
        for oldest in list(islice(self._arrivals, 2)):
            if self._arrivals[oldest] > now_us and len(self._arrivals) <= _LOCAL_KEYS_MAX:
                return
            del self._arrivals[oldest]

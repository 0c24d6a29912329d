"""How a batch is split over the shards of its rounds, and how the shards' answers become one decision a ballot.

A person's hints and attempts, a device's attempts and an address's attempts each belong to a shard of the round, told
by their keyed hash. With one shard (the default) a ballot is one record in one call. With several a batch is one call
per shard, all in parallel, and a decision joins up to three records; what one of them spent for nothing is given back
with the next batch. Used by `turnstile.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from services.voting.entry import Entry
from services.voting.reasons import Reason

# What a record asks about, as turnstile.lua reads it.
DEVICE, SOLVED, PERSON, ADDRESS, GIVE_BACK = 1, 2, 4, 8, 16

_PERSON = struct.Struct(">16siH")
_HINT = struct.Struct(">16s12sqq")
_NOBODY = bytes(8)


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


def person_of(entry: Entry) -> bytes:
    """Whom a hint is about, from a ballot under way."""
    return packed_person(entry.voter_key, entry.period, entry.reissue)


def packed_person(voter_key: bytes, period: int, reissue: int) -> bytes:
    """Whom a hint is about: the voter in this period and reissue, 22 bytes."""
    return _PERSON.pack(voter_key, period, reissue)


class Call(msgspec.Struct):
    """What one shard is asked for a batch: `places` in the batch with their `flags`, records and solved challenges."""

    tag: str
    shard: int
    places: list[int] = []
    flags: list[int] = []
    records: list[bytes] = []
    challenges: list[str] = []
    memories: list[Memory] = []
    given_back: list[bytes] = []

    def ask(self, place: int, record: bytes, flags: int, entry: Entry) -> None:
        if flags & PERSON and entry.challenge:
            flags |= SOLVED
            self.challenges.append(entry.challenge)
        self.places.append(place)
        self.flags.append(flags)
        self.records.append(record + bytes((flags,)))


class Answer(msgspec.Struct):
    """A letter per record of a call, as turnstile.lua tells them, and the hints in order."""

    letters: str
    hints: Sequence[bytes] = ()


def shard_of(keyed_hash: bytes, shards: int) -> int:
    """The shard that a person, a device or an address belongs to."""
    return int.from_bytes(keyed_hash[:2], "big") % shards if shards > 1 else 0


@lru_cache(maxsize=4096)
def shard_tag(tag: str, shard: int, shards: int) -> str:
    """The hash tag of a shard's keys; `tag` is the round's, which is its only shard's as well.

    Several are chosen so that the slots of a cluster lie evenly: shard k of n in the k-th of n equal parts, which is
    one primary's where there are as many primaries as shards.
    """
    if shards == 1:
        return tag
    round_id, attempt = tag.strip("{}").rpartition(":")[0], 0
    while True:
        found = f"{{{round_id}:{shard}.{attempt}}}"
        if key_slot(found.encode()) * shards // REDIS_CLUSTER_HASH_SLOTS == shard:
            return found
        attempt += 1


def split(entries: Sequence[Entry], memories: Sequence[Memory], shards: int) -> dict[str, Call]:
    """The calls of a batch by tag: as many as shards are concerned, for each of its rounds (nearly always one)."""
    calls: dict[str, Call] = {}

    def call_for(tag: str, shard: int) -> Call:
        own = shard_tag(tag, shard, shards)
        if (call := calls.get(own)) is None:
            call = calls[own] = Call(own, shard)
        return call

    for place, entry in enumerate(entries):
        record = b"%b%b%b" % (person_of(entry), entry.device or _NOBODY, entry.address or _NOBODY)
        if shards == 1:
            call_for(entry.tag, 0).ask(place, record, PERSON | ADDRESS | (DEVICE if entry.device else 0), entry)
            continue
        for shard, flags in _wanted(entry, shards).items():
            call_for(entry.tag, shard).ask(place, record, flags, entry)
    for memory in memories:
        call_for(memory.tag, shard_of(memory.person, shards)).memories.append(memory)
    return calls


def _wanted(entry: Entry, shards: int) -> dict[int, int]:
    """What each shard is asked about one ballot."""
    wanted = {shard_of(entry.voter_key, shards): PERSON}
    place = shard_of(entry.address or _NOBODY, shards)
    wanted[place] = wanted.get(place, 0) | ADDRESS
    if entry.device:
        place = shard_of(entry.device, shards)
        wanted[place] = wanted.get(place, 0) | DEVICE
    return wanted


def join(count: int, answered: Sequence[tuple[Call, Answer]]) -> list[Decision]:
    """One decision for each of the `count` ballots of a batch."""
    letters, hints = [""] * count, dict[int, Hint]()
    for call, answer in answered:
        following = iter(answer.hints)
        for place, letter in zip(call.places, answer.letters, strict=True):
            letters[place] += letter
            if letter == "h":
                hints[place] = Hint.unpacked(next(following))
    return [hints[place] if "h" in found else _WORDS[found] for place, found in enumerate(letters)]


class _Words(dict[str, Reason | None]):
    """What the letters of a ballot's records say together; filled as combinations appear, which are few."""

    def __missing__(self, letters: str) -> Reason | None:
        if "c" in letters and "s" not in letters:
            word: Reason | None = Reason.CHALLENGE_REQUIRED
        else:
            word = Reason.TOO_MANY_ATTEMPTS if "t" in letters else None
        self[letters] = word
        return word


_WORDS = _Words()


def spent_for_nothing(
    answered: Sequence[tuple[Call, Answer]], decisions: Sequence[Decision]
) -> Mapping[str, list[bytes]]:
    """Records to give back with the next batch, by tag: one shard spent what another's answer made needless.

    A ballot that turned out to be recorded already is charged to no limit, and one that is asked for a challenge costs
    its person no attempt: as with one shard, where one call knows all of it.
    """
    found: dict[str, list[bytes]] = {}
    for call, answer in answered:
        for place, flags, record, letter in zip(call.places, call.flags, call.records, answer.letters, strict=True):
            decision = decisions[place]
            if decision is None or letter not in "ps":
                continue
            needless = flags & (DEVICE | ADDRESS if isinstance(decision, Hint) else PERSON)
            if needless and decision is not Reason.TOO_MANY_ATTEMPTS:
                found.setdefault(call.tag, []).append(record[:-1] + bytes((needless | GIVE_BACK,)))
    return found

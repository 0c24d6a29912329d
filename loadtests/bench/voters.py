"""Voters signed in beforehand: tokens, device cookies and addresses as the service itself would have given them.

Invariant: a token is minted once and its ballot prepared once, so that what is accepted can be counted in the ledger.
Every HTTP contender gets the same kind of requests, byte for byte.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from services.cli.people import VOTING, valid_choices
from services.shared.address import bucket
from services.shared.keys import derive
from services.voting.devices import COOKIE, Devices
from services.voting.identity import address_key
from services.voting.voter_token import VoterToken, VoterTokens

TOKEN_LIFETIME_S = 6 * 3600
# As the token's form and the ledger's CHECK have it.
VOTER_KEY_BYTES = 16
_CHOICES_PREPARED = 400
_PER_CARRIER_ADDRESS = 300


@dataclass(frozen=True)
class RoundFacts:
    """What minting needs of the round: its number in the ledger, its identity key, its hash tag in Valkey."""

    id: str
    number: int
    tag: str
    identity_key: bytes
    public: Mapping[str, Any]

    @property
    def ballots_path(self) -> str:
        return f"{VOTING}/rounds/{self.id}/ballots"


class Voter(msgspec.Struct, frozen=True):
    """A person who may vote now: the head of their requests, and where they sit."""

    head: bytes
    address: str


class Voters:
    """Mints voters; `facts` and `master` are the running platform's."""

    def __init__(self, facts: RoundFacts, master: bytes) -> None:
        self._facts = facts
        self.token_key = derive(master, "voter-tokens")
        self._tokens = VoterTokens(self.token_key)
        self._devices = Devices(derive(master, "device-cookies"))
        self._minted = 0
        chance = random.Random(20200908)
        self._choices = [
            msgspec.json.encode(valid_choices(facts.public, chance)) for _ in range(_CHOICES_PREPARED)
        ]  # fmt: skip

    def mint(self, count: int) -> list[Voter]:
        """That many new people, each with a phone of their own."""
        expires = int(time.time()) + TOKEN_LIFETIME_S
        first, self._minted = self._minted, self._minted + count
        return [self._voter(number, expires) for number in range(first, first + count)]

    def _voter(self, number: int, expires: int) -> Voter:
        person = VoterToken(
            round_number=self._facts.number, voter_key=os.urandom(VOTER_KEY_BYTES), reissue=0, route="sms", stratum="",
            expires=expires,
        )  # fmt: skip
        token = self._tokens.sign(person)
        address = address_of(number)
        head = (
            f"POST {self._facts.ballots_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pingxuan-bench\r\n"
            f"Accept: application/json\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
            f"Cookie: {COOKIE}={self._devices.make()}\r\nX-Forwarded-For: {address}\r\n"
        )
        return Voter(head.encode(), address)

    def requests(self, voters: Sequence[Voter]) -> list[bytes]:
        """One ballot each under a new ballot id; made again for the same voters, they are second ballots."""
        random_ids = os.urandom(16 * len(voters))
        return [
            _request(voter, random_ids[16 * i : 16 * i + 16], self._choices[i % _CHOICES_PREPARED])
            for i, voter in enumerate(voters)
        ]

    def verified(self, voters: Sequence[Voter]) -> dict[bytes, int]:
        """How many of these voters signed in at each address, by its keyed hash."""
        counts = Counter(bucket(voter.address) for voter in voters)
        return {key: count for text, count in counts.items() for key in self.verified_at(text, count)}

    def verified_at(self, address: str, count: int) -> dict[bytes, int]:
        """The same for one address."""
        return {address_key(self._facts.identity_key, address): count}


def _request(voter: Voter, random_id: bytes, choices: bytes) -> bytes:
    body = b'{"ballot_id":"%s","choices":%s}' % (str(UUID(bytes=random_id, version=4)).encode(), choices)
    return b"%sContent-Length: %d\r\n\r\n%s" % (voter.head, len(body), body)


def address_of(number: int) -> str:
    """A city's addresses: a third of the voters behind carriers' shared IPv4, a third two to a household's IPv4, a
    third two to a household's IPv6 network. Addresses of shared or documentation ranges only."""
    kind, place = number % 3, number // 3
    if kind == 0:
        shared = place // _PER_CARRIER_ADDRESS
        return f"100.{64 + (shared >> 16) % 64}.{(shared >> 8) & 255}.{shared & 255}"
    home = place // 2
    if kind == 1:
        return f"10.{(home >> 16) & 255}.{(home >> 8) & 255}.{home & 255}"
    return f"2001:db8:{(home >> 16) & 0xFFFF:x}:{home & 0xFFFF:x}::{place & 1 or 2:x}"

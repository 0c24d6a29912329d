"""A ballot between the socket and the ledger: what becomes its row, and what the turnstile looks at.

Made once per request by `api.py`; `admission.py` leads it through `turnstile.py` and `ledger.py`.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class Entry(msgspec.Struct):
    """One ballot; `lookup` asks only for an earlier ballot with the same id.

    `device` and `address` are 8 bytes each, keyed hashes; `tag` is the hash tag of the round's keys in Valkey;
    `challenge` names a solved challenge. `key` orders and identifies entries within a batch.
    """

    round_number: int
    tag: str
    voter_key: bytes
    period: int
    reissue: int
    ballot_id: UUID
    choices: tuple[int, ...]
    stratum: str
    route: str
    device: bytes | None
    address: bytes | None
    received_at: datetime
    lookup: bool = False
    station: int | None = None
    challenge: str = ""
    key: bytes = b""

    def __post_init__(self) -> None:
        self.key = self.round_number.to_bytes(4, "big") + self.voter_key + self.ballot_id.bytes

"""The ledger: where a ballot becomes true. One database function call, one commit, for a whole batch.

Called by `admission.py` for recording and by the citizens' calls for looking up. A row is appended and never changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.shared.postgres import Connection, Dedicated, Pool, connect

RECEIPT_BYTES = 12
_SALT_BYTES = 16
_SHARD = b"\0"

_RECORD = """
SELECT place, fresh, ballot_id, choices, receipt, recorded_at, index FROM record_ballots(
    $1::int[], $2::bytea[], $3::int[], $4::smallint[], $5::uuid[], $6::text[], $7::bytea[], $8::bytea[],
    $9::text[], $10::text[], $11::bytea[], $12::bytea[], $13::timestamptz[], $14::boolean[], $15::int[])
"""


class Entry(msgspec.Struct):
    """One ballot on its way into the ledger; `lookup` asks only for an earlier ballot with the same id."""

    round_number: int
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

    @property
    def key(self) -> tuple[int, bytes, bytes]:
        return (self.round_number, self.voter_key, self.ballot_id.bytes)


class Recorded(msgspec.Struct, frozen=True):
    """A ballot that stands in the ledger; `fresh` when this very call put it there."""

    ballot_id: UUID
    choices: tuple[int, ...]
    receipt: bytes
    recorded_at: datetime
    index: int
    fresh: bool


class LedgerWriter:
    """A dedicated connection for one lane of batches; reconnects by itself when it was lost."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._connection: Dedicated | None = None
        self._statement: Any = None

    async def record(self, entries: Sequence[Entry]) -> list[Recorded | None]:
        """What stands in the ledger for each entry after the commit; None: the round is sealed, or nothing found.

        `entries` are distinct by key. Raises asyncpg.DataError for a row PostgreSQL refuses (nothing was written),
        and connection errors whose outcome is unknown: the same call may then simply be made again.
        """
        order = sorted(range(len(entries)), key=lambda i: entries[i].key)
        receipts, salts = _random_codes(len(entries))
        rows = await self._run([entries[i] for i in order], receipts, salts)
        # A fresh row is found again by the receipt it was given here: ballot ids are the phones' choice.
        given = dict(zip(receipts, order, strict=True))
        answers: list[Recorded | None] = [None] * len(entries)
        for row in rows:
            if row["fresh"]:
                at = given[row["receipt"]]
                answers[at] = _recorded(row, entries[at].choices)
            else:
                answers[order[row["place"] - 1]] = _recorded(row, tuple(row["choices"]))
        return answers

    async def _run(self, entries: Sequence[Entry], receipts: list[bytes], salts: list[bytes]) -> list[asyncpg.Record]:
        statement = await self._prepared()
        found: list[asyncpg.Record] = await statement.fetch(
            [entry.round_number for entry in entries],
            [entry.voter_key for entry in entries],
            [entry.period for entry in entries],
            [entry.reissue for entry in entries],
            [entry.ballot_id for entry in entries],
            ["{" + ",".join(map(str, entry.choices)) + "}" for entry in entries],
            receipts,
            salts,
            [entry.stratum for entry in entries],
            [entry.route for entry in entries],
            [entry.device for entry in entries],
            [entry.address for entry in entries],
            [entry.received_at for entry in entries],
            [entry.lookup for entry in entries],
            [entry.station for entry in entries],
            timeout=self._timeout_s,
        )
        return found

    async def _prepared(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._statement = None
            self._connection = await connect(self._url, statement_timeout_s=self._timeout_s, name="voting-ledger")
            # A plan made once for batches of every size: unnest's row estimate does not depend on the parameters.
            await self._connection.execute("SET plan_cache_mode = force_generic_plan")
            self._statement = await self._connection.prepare(_RECORD)
        return self._statement

    async def drop(self) -> None:
        """Forget the connection: its state is unknown."""
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()


def _random_codes(count: int) -> tuple[list[bytes], list[bytes]]:
    """(receipts, salts) for `count` ballots, from one draw of the system's randomness."""
    width = RECEIPT_BYTES - 1 + _SALT_BYTES
    random = os.urandom(width * count)
    parts = [random[i * width : (i + 1) * width] for i in range(count)]
    return [_SHARD + part[: RECEIPT_BYTES - 1] for part in parts], [part[RECEIPT_BYTES - 1 :] for part in parts]


def _recorded(row: asyncpg.Record, choices: tuple[int, ...]) -> Recorded:
    return Recorded(row["ballot_id"], choices, row["receipt"], row["recorded_at"], row["index"], row["fresh"])


async def epoch(connection: Connection | Pool) -> bytes:
    """Changes with every restore or promotion; hints of another epoch count for nothing."""
    found: UUID = await connection.fetchval("SELECT epoch FROM ledger_epoch ORDER BY since DESC LIMIT 1")
    return found.bytes


async def newest_ballot(pool: Pool, round_number: int, voter_key: bytes) -> asyncpg.Record | None:
    """The voter's last ballot in a round: ballot_id, choices, receipt, recorded_at."""
    return await pool.fetchrow(
        "SELECT ballot_id, choices, receipt, recorded_at FROM ballots"
        " WHERE round_number = $1 AND voter_key = $2 ORDER BY recorded_at DESC LIMIT 1",
        round_number,
        voter_key,
    )


async def ballot_of_receipt(pool: Pool, receipt: bytes) -> asyncpg.Record | None:
    """round_number, recorded_at and the last state of the ballot with this receipt: never its choices."""
    return await pool.fetchrow(
        "SELECT b.round_number, b.recorded_at, s.state, s.reason, s.at FROM ballots AS b"
        " LEFT JOIN LATERAL (SELECT e.state, e.reason, e.at FROM ballot_events AS e"
        "  WHERE e.round_number = b.round_number AND e.voter_key = b.voter_key AND e.ballot_id = b.ballot_id"
        "  ORDER BY e.id DESC LIMIT 1) AS s ON true"
        " WHERE b.receipt = $1",
        receipt,
    )

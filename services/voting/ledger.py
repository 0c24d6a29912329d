"""The ledger: where a ballot becomes true. One database function call, one commit, for a whole batch.

Called by `admission.py` for recording and by the citizens' calls for looking up. A row is appended and never changed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.shared.postgres import Connection, Dedicated, Pool, connect, transaction
from services.voting.entry import Entry

RECEIPT_BYTES = 12
# A statement that reads all of a ledger may take longer than others: for the seal and what is published, and for
# somebody who searches.
WHOLE_LEDGER_S, SEARCH_S = 600.0, 60.0
_SALT_BYTES = 16
_READ_ROWS = 2000
_CLOSED_WITHIN_S = 0.5
# A line that was silent for longer is tried before ballots are trusted to it, and must answer within so much.
_SILENT_MAX_S, _TRIED_FOR_S = 1.0, 1.0
_SHARD = b"\0"
_NOTHING = bytes(8)
_by_key = attrgetter("key")

_RECORD = """
SELECT place, ballot_id, choices, receipts, recorded_at, indexes FROM record_ballots(
    $1::bytea, $2::text, $3::bigint[], $4::int[],
    $5::int[], $6::int[], $7::smallint[], $8::text[], $9::text[], $10::int[], $11::boolean[])
"""


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
        self._heard_at = 0.0

    async def record(self, entries: Sequence[Entry]) -> list[Recorded | None]:
        """What stands in the ledger for each entry after the commit; None: the round is sealed, or nothing found.

        `entries` are distinct by key. Raises asyncpg.DataError for a row PostgreSQL refuses (nothing was written),
        and connection errors whose outcome is unknown: the same call may then simply be made again.
        """
        batch = sorted(entries, key=_by_key)
        receipts = _receipts(len(batch))
        # A fresh row is found again by the receipt it was given here: ballot ids are the phones' choice.
        given = dict(zip(receipts, batch, strict=True))
        found: dict[bytes, Recorded] = {}
        for place, ballot_id, choices, codes, recorded_at, indexes in await self._run(batch, receipts):
            if place is not None:
                found[batch[place - 1].key] = Recorded(ballot_id, tuple(choices), codes, recorded_at, indexes[0], False)
                continue
            for start, index in zip(range(0, len(codes), RECEIPT_BYTES), indexes, strict=True):
                receipt = codes[start : start + RECEIPT_BYTES]
                entry = given[receipt]
                found[entry.key] = Recorded(entry.ballot_id, entry.choices, receipt, recorded_at, index, True)
        return [found.get(entry.key) for entry in entries]

    async def _run(self, batch: Sequence[Entry], receipts: Sequence[bytes]) -> list[asyncpg.Record]:
        statement = await self._prepared()
        salts = os.urandom(_SALT_BYTES * len(batch))
        packed: list[bytes] = []
        for place, (entry, receipt) in enumerate(zip(batch, receipts, strict=True)):
            salt = salts[place * _SALT_BYTES : (place + 1) * _SALT_BYTES]
            packed += (entry.voter_key, entry.ballot_id.bytes, receipt, salt)
            packed += (entry.device or _NOTHING, entry.address or _NOTHING)
        kinds: dict[_Kind, int] = {}
        kind_of = [kinds.setdefault(_kind(entry), len(kinds) + 1) for entry in batch]
        rows: list[asyncpg.Record] = await statement.fetch(
            b"".join(packed),
            ";".join(["{" + ",".join(map(str, entry.choices)) + "}" for entry in batch]),
            [round(entry.received_at.timestamp() * 1_000_000) for entry in batch],
            kind_of,
            *map(list, zip(*kinds, strict=True)),
            timeout=self._timeout_s,
        )
        self._heard_at = time.monotonic()
        return rows

    async def _prepared(self) -> Any:
        await self._try_silent()
        if self._connection is None or self._connection.is_closed():
            self._statement = None
            self._connection = await connect(self._url, statement_timeout_s=self._timeout_s, name="voting-ledger")
            # A plan made once for batches of every size: unnest's row estimate does not depend on the parameters.
            await self._connection.execute("SET plan_cache_mode = force_generic_plan")
            self._statement = await self._connection.prepare(_RECORD)
            self._heard_at = time.monotonic()
        return self._statement

    async def _try_silent(self) -> None:
        """Drop a line that leads nowhere any more: a batch would find out only by its own, longer time."""
        if self._connection is None or time.monotonic() - self._heard_at < _SILENT_MAX_S:
            return
        try:
            await self._connection.fetchval("SELECT 1", timeout=_TRIED_FOR_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.drop()

    async def drop(self) -> None:
        """Forget the connection: its state is unknown.

        A statement under way is cancelled first: a session that waits for a lost standby notices nothing of our end,
        and with every batch that is run again there would be one more of them.
        """
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                # What cannot be closed in time is aborted by it.
                await connection.close(timeout=_CLOSED_WITHIN_S)


def _receipts(count: int) -> list[bytes]:
    """That many receipts, from one draw of the system's randomness."""
    width = RECEIPT_BYTES - len(_SHARD)
    random = os.urandom(width * count)
    return [_SHARD + random[start : start + width] for start in range(0, width * count, width)]


_Kind = tuple[int, int, int, str, str, int | None, bool]


def _kind(entry: Entry) -> _Kind:
    """The columns that most ballots of a batch share."""
    return (
        entry.round_number, entry.period, entry.reissue, entry.stratum, entry.route, entry.station, entry.lookup
    )  # fmt: skip


async def epoch(connection: Connection | Pool) -> bytes:
    """Changes with every restore or promotion (the server's timeline); hints of another epoch count for nothing."""
    found: str = await connection.fetchval(
        "SELECT concat_ws('/', epoch, left(pg_walfile_name(pg_current_wal_lsn()), 8)) FROM ledger_epoch"
        " ORDER BY since DESC LIMIT 1"
    )
    return hashlib.blake2b(found.encode(), digest_size=16).digest()


async def begin_epoch(connection: Connection) -> None:
    """Make every hint of before count for nothing; as the owner, after a restore."""
    await connection.execute("INSERT INTO ledger_epoch (since) VALUES (clock_timestamp())")


async def all_ballots(pool: Pool, round_number: int) -> AsyncIterator[tuple[bytes, int, int, Recorded]]:
    """(voter key, period, reissue, what stands in the ledger) of every ballot of a round, in no particular order."""
    query = (
        "SELECT voter_key, period, reissue, ballot_id, choices, receipt, recorded_at, index FROM ballots"
        " WHERE round_number = $1"
    )
    async with transaction(pool) as connection:
        async for row in connection.cursor(query, round_number, prefetch=_READ_ROWS):
            choices = tuple(row["choices"])
            recorded = Recorded(row["ballot_id"], choices, row["receipt"], row["recorded_at"], row["index"], False)
            yield row["voter_key"], row["period"], row["reissue"], recorded


async def newest_ballot(pool: Pool, round_number: int, voter_key: bytes) -> asyncpg.Record | None:
    """The voter's last ballot in a round: ballot_id, choices, receipt, recorded_at."""
    found = await pool.fetchrow(
        "SELECT ballot_id, choices, receipt, recorded_at FROM ballots"
        " WHERE round_number = $1 AND voter_key = $2 ORDER BY recorded_at DESC LIMIT 1",
        round_number,
        voter_key,
    )
    if found is not None:
        # As in record_ballots(): the voter is told of nothing that a synchronous standby may lack.
        await pool.execute(
            "SELECT pg_logical_emit_message(true, 'pingxuan', 'told')"
            " WHERE current_setting('synchronous_standby_names') <> ''"
        )
    return found


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

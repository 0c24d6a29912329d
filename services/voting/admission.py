"""Admission: gathers ballots into batches and leads each batch through the turnstile into the ledger.

Natural batching, no timer: a batch is what gathered while the one before it was in flight. Two lanes, each with its
own connection. A request leaves its ballot and a future here and awaits only that future, so that a phone that hangs up
disturbs nobody. The queue is bounded: beyond it the answer is `overloaded`.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from services.shared.errors import ReasonWord
from services.voting import metrics
from services.voting.entry import Entry
from services.voting.ledger import LedgerWriter, Recorded
from services.voting.reasons import Reason
from services.voting.shards import Decision, Hint, Memory, packed_person
from services.voting.turnstile import Turnstile

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNKNOWN_OUTCOME = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError,
                    asyncpg.OperatorInterventionError, asyncpg.TransactionRollbackError,
                    asyncpg.InsufficientResourcesError, asyncpg.ReadOnlySQLTransactionError,
                    asyncpg.TargetServerAttributeNotMatched)  # fmt: skip


class Accepted(msgspec.Struct, frozen=True):
    """The ballot stands in the ledger; `fresh` when this request put it there, else it is a repeat."""

    ballot_id: UUID
    receipt: bytes
    recorded_at: datetime
    index: int
    fresh: bool


class Refused(msgspec.Struct, frozen=True):
    """The ballot does not stand, for this reason."""

    reason: ReasonWord
    detail: str = ""
    retry_after_s: int | None = None


Outcome = Accepted | Refused


class Ballot(msgspec.Struct):
    """A request on its way, and who waits for it.

    `refusal` is what is answered when no earlier ballot with this id is found; the entry then only looks up.
    `submitted_at` is the monotonic clock's.
    """

    entry: Entry
    future: asyncio.Future[Outcome]
    refusal: Refused | None = None
    submitted_at: float = 0.0


_SEALED = Refused(Reason.OVERLOADED, "The vote has just ended and its tally is sealed.", 30)
_BROKEN = Refused(Reason.BAD_BALLOT, "The ballot cannot be recorded; load the page again and repeat.")
_AWAY = Refused(Reason.OVERLOADED, "The ledger does not answer; the same ballot may be sent again.", 3)
_TURNED_AWAY = {
    Reason.CHALLENGE_REQUIRED: Refused(Reason.CHALLENGE_REQUIRED, "Solve the challenge and send the ballot again."),
    Reason.TOO_MANY_ATTEMPTS: Refused(Reason.TOO_MANY_ATTEMPTS, "Too many attempts with this sign-in.", 60),
}
_SLOW = Refused(Reason.OVERLOADED, "The ledger is slow; the same ballot may be sent again.", 3)
_ALREADY = Refused(Reason.ALREADY_VOTED, "This person has already voted; one person has one ballot.")
_REUSED = Refused(Reason.BALLOT_ID_REUSED, "This ballot id stands in the ledger with other choices.")


class Admission:
    """One per process; `submit` is all that a request ever touches."""

    def __init__(
        self, turnstile: Turnstile, writers: Sequence[LedgerWriter], *, batch_max: int, queue_max: int, retries: int,
        wait_max_s: float,
    ) -> None:  # fmt: skip
        self._turnstile, self._writers = turnstile, writers
        self._batch_max, self._queue_max, self._retries = batch_max, queue_max, retries
        self._wait_max_s = wait_max_s
        metrics.ballot_queue_max.set(queue_max)
        self._queue: deque[Ballot] = deque()
        self._waiting: deque[Ballot] = deque()
        self._arrived = asyncio.Event()
        self._memories: list[Memory] = []
        self._lanes: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Admission:
        self._lanes = [asyncio.create_task(self._lane(writer), name="ballots") for writer in self._writers]
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._queue:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for writer in self._writers:
            await writer.drop()

    @property
    def full(self) -> bool:
        """True when another ballot would not fit; asked before a body is read."""
        return len(self._queue) >= self._queue_max

    def submit(self, ballot: Ballot) -> asyncio.Future[Outcome]:
        """Leave a ballot; its future gets the outcome after the commit."""
        ballot.submitted_at = time.monotonic()
        self._queue.append(ballot)
        self._waiting.append(ballot)
        self._arrived.set()
        return ballot.future

    async def give_up_once(self) -> int:
        """Step of a loop: answer those who wait too long; their ballots go on, and a repeat gets the receipt.

        One sweep for all: a timer per ballot would cost a tenth of its CPU.
        """
        long_ago, given_up = time.monotonic() - self._wait_max_s, 0
        while self._waiting and (self._waiting[0].future.done() or self._waiting[0].submitted_at <= long_ago):
            ballot = self._waiting.popleft()
            given_up += not ballot.future.done()
            settle(ballot, _SLOW)
        return given_up

    async def _lane(self, writer: LedgerWriter) -> None:
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_max))]
            # Once a batch: the first has waited longest, and a measurement per ballot would cost what it measures.
            metrics.batch_wait_seconds.observe(time.monotonic() - batch[0].submitted_at)
            metrics.batch_ballots.observe(len(batch))
            metrics.ballot_queue_length.set(len(self._queue))
            try:
                await self._carry(writer, batch)
            except asyncio.CancelledError:
                _settle_all(batch, _AWAY)
                raise
            except Exception as error:
                log.error("batch failed", extra={"failure": type(error).__name__, "ballots": len(batch)})
                await writer.drop()
                _settle_all(batch, _AWAY)

    async def _carry(self, writer: LedgerWriter, batch: list[Ballot]) -> None:
        """One batch through turnstile and ledger; every future is settled at the end."""
        await self._ask_turnstile([ballot for ballot in batch if ballot.refusal is None])
        waiting = [ballot for ballot in batch if not ballot.future.done()]
        if waiting:
            await self._write(writer, waiting)

    async def _ask_turnstile(self, ballots: list[Ballot]) -> None:
        if not ballots:
            return
        memories, self._memories = self._memories, []
        now_us = int(ballots[-1].entry.received_at.timestamp() * 1_000_000)
        decisions = await self._turnstile.check([ballot.entry for ballot in ballots], memories, now_us)
        for ballot, decision in zip(ballots, decisions, strict=True):
            self._apply(ballot, decision)

    def _apply(self, ballot: Ballot, decision: Decision) -> None:
        if decision is None:
            return
        if isinstance(decision, Hint):
            settle(ballot, _from_hint(ballot.entry, decision))
            return
        # Before a limit is told, the ledger says whether this is a repeat or a second vote.
        ballot.refusal = _TURNED_AWAY[decision]
        ballot.entry.lookup = True

    async def _write(self, writer: LedgerWriter, ballots: list[Ballot]) -> None:
        distinct: dict[bytes, Ballot] = {}
        for ballot in ballots:
            first = distinct.setdefault(ballot.entry.key, ballot)
            if first.entry.lookup and not ballot.entry.lookup:
                distinct[ballot.entry.key] = ballot
        entries = list(distinct.values())
        recorded = await self._record(writer, [ballot.entry for ballot in entries])
        found = dict(zip(distinct, recorded, strict=True))
        for ballot in ballots:
            outcome = found[ballot.entry.key]
            settle(ballot, self._outcome(ballot, outcome, repeated=distinct[ballot.entry.key] is not ballot))

    async def _record(self, writer: LedgerWriter, entries: list[Entry]) -> list[Recorded | Refused | None]:
        """The ledger's answers; runs the same idempotent batch again while its outcome is unknown."""
        for attempt in range(self._retries + 1):
            started = time.perf_counter()
            try:
                answers: list[Recorded | Refused | None] = [*await writer.record(entries)]
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError, TypeError):
                return await self._bisect(writer, entries)
            except _UNKNOWN_OUTCOME as error:
                await writer.drop()
                metrics.ledger_retries_total.inc()
                log.warning("batch repeated", extra={"failure": type(error).__name__, "attempt": attempt})
                await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
            else:
                metrics.ledger_seconds.observe(time.perf_counter() - started)
                return answers
        return [_AWAY] * len(entries)

    async def _bisect(self, writer: LedgerWriter, entries: list[Entry]) -> list[Recorded | Refused | None]:
        """One bad row refuses a batch: halve it until only that row is refused."""
        if len(entries) == 1:
            return [_BROKEN]
        middle = len(entries) // 2
        return [*await self._record(writer, entries[:middle]), *await self._record(writer, entries[middle:])]

    def _outcome(self, ballot: Ballot, recorded: Recorded | Refused | None, *, repeated: bool) -> Outcome:
        if isinstance(recorded, Refused):
            return recorded
        entry = ballot.entry
        if recorded is None:
            return ballot.refusal or _SEALED
        self._note(ballot, recorded)
        if recorded.ballot_id == entry.ballot_id:
            if recorded.choices != entry.choices:
                return _REUSED
            fresh = recorded.fresh and not repeated
            return Accepted(recorded.ballot_id, recorded.receipt, recorded.recorded_at, recorded.index, fresh)
        return _precedence(ballot.refusal)

    def _note(self, ballot: Ballot, recorded: Recorded) -> None:
        """Tell the turnstile with the next batch. The list is bounded: a lost hint costs a look-up, no more."""
        # A ballot found by its id may belong to another day, or to before a reissue: a hint of it would refuse today's.
        entry = ballot.entry
        of_this_period = recorded.fresh or (entry.period == 0 and entry.reissue == 0)
        if len(self._memories) < self._batch_max * 4 and ballot.refusal is None and of_this_period:
            who = (entry.voter_key, entry.period, entry.reissue)
            self._memories.append(memory_of(entry.tag, who, recorded))


def memory_of(tag: str, who: tuple[bytes, int, int], recorded: Recorded) -> Memory:
    """What the turnstile is told of a recorded ballot; `who` is voter key, period and reissue."""
    recorded_at_us = (recorded.recorded_at - _EPOCH) // _MICROSECOND
    hint = Hint(recorded.ballot_id.bytes, pack(recorded.choices), recorded.receipt, recorded_at_us, recorded.index)
    return Memory(tag, packed_person(*who), hint)


def pack(choices: Sequence[int]) -> bytes:
    """Sorted candidate numbers as two bytes each."""
    return struct.pack(f">{len(choices)}H", *choices)


def _precedence(refusal: Refused | None) -> Refused:
    """Another ballot of this person stands: `already_voted`, unless an earlier word of the list applies."""
    if refusal is not None and refusal.reason in (Reason.WINDOW_CLOSED, Reason.BAD_BALLOT):
        return refusal
    return _ALREADY


def _from_hint(entry: Entry, hint: Hint) -> Outcome:
    if hint.ballot_id != entry.ballot_id.bytes:
        return _ALREADY
    if hint.choices != pack(entry.choices):
        return _REUSED
    recorded_at = _EPOCH + timedelta(microseconds=hint.recorded_at_us)
    return Accepted(entry.ballot_id, hint.receipt, recorded_at, hint.index, fresh=False)


def settle(ballot: Ballot, outcome: Outcome) -> None:
    if not ballot.future.done():
        ballot.future.set_result(outcome)


def _settle_all(batch: Sequence[Ballot], outcome: Outcome) -> None:
    for ballot in batch:
        settle(ballot, outcome)

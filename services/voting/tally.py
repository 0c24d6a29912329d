"""Counting: a follower of the ledger keeps turnout and running tallies; sealing makes a tally that never changes.

The follower reads only rows below the oldest running transaction, ordered by (xid, index), so that a row that commits
late is not skipped. Sealing takes the round's exclusive lock after close and grace, counts what is not excluded once
more from the ledger itself, and hands the tally, encrypted, to scoring in the same transaction. Ballots that two people
exclude or restore afterwards make the next version, sealed by the same rules; the ones before stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

import asyncpg
import msgspec

from services.shared import outbox
from services.shared.errors import Refusal
from services.shared.keys import seal
from services.shared.messages import (
    VOTING_TALLIES,
    ExclusionCount,
    ReopenedMessage,
    TallyContent,
    TallyMessage,
    VoteCount,
)
from services.shared.postgres import Connection, Pool, transaction
from services.voting import metrics, tally_store
from services.voting.ledger import WHOLE_LEDGER_S
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound, RoundBook

LOCK_CLASS = 28792  # also stands in record_ballots()
FOLLOW_MAX = 5000
# The seal holds the round's exclusive lock: a worker that is gone without a word must not hold it for ever.
_SILENT_MAX_S = 10.0

# One statement takes up to $1 rows into tallies and turnout, and moves the checkpoint: its effect and its place commit
# together. One ballot a round is one voter; where more are possible (by day, reissues), voters are remembered. The
# checkpoint is compared as two values, so that the index begins there; joined, it is read from the ledger's start.
_COUNT = """
WITH checkpoint AS MATERIALIZED (SELECT xid, index FROM tally_checkpoint FOR UPDATE
), fresh AS MATERIALIZED (
    SELECT b.xid, b.index, b.round_number, b.voter_key, b.period, b.reissue, b.choices, b.stratum,
           date_trunc('minute', b.recorded_at) AS minute
    FROM ballots AS b
    WHERE (b.xid, b.index) > ((SELECT xid FROM checkpoint), (SELECT index FROM checkpoint))
      AND b.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY b.xid, b.index LIMIT $1
), tallied AS (
    INSERT INTO running_tallies AS t (round_number, candidate_number, stratum, votes)
    SELECT round_number, choice, stratum, count(*) FROM fresh CROSS JOIN LATERAL unnest(choices) AS choice
    GROUP BY 1, 2, 3
    ON CONFLICT (round_number, candidate_number, stratum) DO UPDATE SET votes = t.votes + excluded.votes
), newcomers AS (
    INSERT INTO turnout_voters (round_number, voter_key)
    SELECT DISTINCT round_number, voter_key FROM fresh WHERE period <> 0
    ON CONFLICT DO NOTHING RETURNING round_number, voter_key
), arrived AS (
    SELECT round_number, minute, count(*) AS ballots, count(*) FILTER (WHERE period = 0 AND reissue = 0) AS voters
    FROM fresh GROUP BY 1, 2
), by_day AS (
    SELECT round_number, minute, count(*) AS voters
    FROM (SELECT n.round_number, min(f.minute) AS minute
          FROM newcomers AS n JOIN fresh AS f USING (round_number, voter_key)
          GROUP BY n.round_number, n.voter_key) AS first
    GROUP BY 1, 2
), turned_out AS (
    INSERT INTO turnout AS t (round_number, minute, ballots, voters)
    SELECT a.round_number, a.minute, a.ballots, a.voters + coalesce(d.voters, 0)
    FROM arrived AS a LEFT JOIN by_day AS d USING (round_number, minute)
    ON CONFLICT (round_number, minute)
        DO UPDATE SET ballots = t.ballots + excluded.ballots, voters = t.voters + excluded.voters
), last AS (SELECT xid, index FROM fresh ORDER BY xid DESC, index DESC LIMIT 1)
UPDATE tally_checkpoint AS c SET xid = last.xid, index = last.index FROM last
RETURNING (SELECT count(*)::int FROM fresh)
"""


async def count_once(pool: Pool) -> int:
    """Take up ledger rows that committed since the last time; returns how many."""
    counted: int | None = await pool.fetchval(_COUNT, FOLLOW_MAX)
    metrics.ballots_counted_total.inc(counted or 0)
    return counted or 0


async def seal_round(
    pool: Pool, frozen: FrozenRound, tally_key: bytes, now: datetime, sealed_by: str, *, again: bool = False
) -> TallyContent:
    """Seal the round's tally; raises Refusal window_open, grace_running, holds_open, already_sealed or list_confirmed.

    Only where `again` is asked for may a round that is sealed get its next version, and only when ballots were excluded
    or restored since: nothing seals twice by itself, nor by a repeat.
    """
    _require_ended(frozen, now)
    async with transaction(pool, idle_max_s=_SILENT_MAX_S) as connection:
        # No hold changes meanwhile; then wait for every batch that holds the shared lock: later ones find it sealed.
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS + 1, frozen.number)
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS, frozen.number)
        newest = await tally_store.newest(connection, frozen.number)
        await _require_newest(connection, frozen)
        await _require_decided(connection, frozen.number)
        if newest is not None:
            await _require_changed(connection, frozen, newest, again)
        version = 1 if newest is None else newest.version + 1
        content = msgspec.structs.replace(await count(connection, frozen), version=version)
        await _store(connection, frozen, content, tally_key, sealed_by)
    metrics.sealed_rounds_total.inc()
    return content


def _require_ended(frozen: FrozenRound, now: datetime) -> None:
    closes, due = frozen.closes, frozen.seal_due
    if closes is None or due is None or now < closes:
        raise Refusal(Reason.WINDOW_OPEN, "Voting is still open; close it or wait for its end.", closes_at=closes)
    if now < due:
        wait_s = int((due - now).total_seconds()) + 1
        raise Refusal(Reason.GRACE_RUNNING, "Ballots received in time may still be committed.", retry_after_s=wait_s)


async def _require_newest(connection: Connection, frozen: FrozenRound) -> None:
    """The window may have been extended since this process looked at the round."""
    extended = await connection.fetchval("SELECT count(*) FROM extensions WHERE round_number = $1", frozen.number)
    if extended != len(frozen.extensions):
        raise Refusal(Reason.WINDOW_OPEN, "The voting window was just extended.")


async def _require_decided(connection: Connection, round_number: int) -> None:
    open_holds = await tally_store.undecided(connection, round_number)
    if open_holds:
        raise Refusal(Reason.HOLDS_OPEN, f"{open_holds} holds are undecided; decide and confirm them first.")


async def _require_changed(
    connection: Connection, frozen: FrozenRound, newest: tally_store.Sealed, again: bool
) -> None:
    if not again or (await tally_store.since(connection, frozen.number)).nothing:
        detail = f"Tally {newest.version} is sealed, and no ballot was excluded or restored since."
        raise Refusal(Reason.ALREADY_SEALED, detail, version=newest.version)
    require_unconfirmed(frozen)


def require_unconfirmed(frozen: FrozenRound) -> None:
    """After a meeting confirmed the list no ballot changes any more; raises Refusal list_confirmed."""
    if frozen.message.list_confirmed_at is not None:
        raise Refusal(
            Reason.LIST_CONFIRMED,
            "A meeting confirmed the list of this round; two people must retract it before a ballot can change.",
            confirmed_at=frozen.message.list_confirmed_at,
        )


async def count(connection: Connection, frozen: FrozenRound) -> TallyContent:
    """The tally of a round from the ledger itself: what is not excluded, per candidate and stratum."""
    counted = await connection.fetch(
        "SELECT choice, b.stratum, count(*) AS votes FROM ballots AS b CROSS JOIN LATERAL unnest(b.choices) AS choice"
        " WHERE b.round_number = $1 AND NOT EXISTS (SELECT FROM ballot_states AS s WHERE s.state = 'excluded'"
        "  AND s.round_number = b.round_number AND s.voter_key = b.voter_key AND s.ballot_id = b.ballot_id)"
        " GROUP BY 1, 2",
        frozen.number,
        timeout=WHOLE_LEDGER_S,
    )
    strata = await connection.fetch(
        "SELECT b.stratum, count(*) AS ballots FROM ballots AS b WHERE b.round_number = $1"
        " AND NOT EXISTS (SELECT FROM ballot_states AS s WHERE s.state = 'excluded'"
        "  AND s.round_number = b.round_number AND s.voter_key = b.voter_key AND s.ballot_id = b.ballot_id)"
        " GROUP BY 1 ORDER BY 1",
        frozen.number,
        timeout=WHOLE_LEDGER_S,
    )
    excluded = await _excluded(connection, frozen)
    totals = await connection.fetchrow(
        "SELECT count(*) AS ballots, count(DISTINCT voter_key) AS voters FROM ballots WHERE round_number = $1",
        frozen.number,
        timeout=WHOLE_LEDGER_S,
    )
    assert totals is not None
    return TallyContent(
        round=frozen.id,
        counts=_counts(frozen, counted),
        exclusions=_exclusions(frozen, excluded),
        ballots=totals["ballots"],
        excluded=len(excluded),
        turnout=totals["voters"],
        strata={row["stratum"]: row["ballots"] for row in strata},
        events=frozen.extension_events(),
    )


async def _excluded(connection: Connection, frozen: FrozenRound) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT s.reason, b.choices, b.recorded_at FROM ballot_states AS s"
        " JOIN ballots AS b USING (round_number, voter_key, ballot_id)"
        " WHERE s.round_number = $1 AND s.state = 'excluded'",
        frozen.number,
    )


def _counts(frozen: FrozenRound, rows: Iterable[asyncpg.Record]) -> list[VoteCount]:
    """Every candidate stands in the tally, those without votes too."""
    found = {(row["choice"], row["stratum"]): row["votes"] for row in rows}
    named = {number for number, _ in found}
    found |= {(card.number, ""): 0 for card in frozen.cards if card.number not in named}
    return [
        VoteCount(frozen.by_number[number].candidate, stratum, votes)
        for (number, stratum), votes in sorted(
            found.items(), key=lambda item: (frozen.by_number[item[0][0]].candidate, item[0][1])
        )
    ]


def _exclusions(frozen: FrozenRound, rows: Iterable[asyncpg.Record]) -> list[ExclusionCount]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        day = row["recorded_at"].astimezone(frozen.zone).date().isoformat()
        counts.update((row["reason"], frozen.by_number[number].candidate, day) for number in row["choices"])
    return [ExclusionCount(*key, ballots) for key, ballots in sorted(counts.items())]


async def _store(
    connection: Connection, frozen: FrozenRound, content: TallyContent, tally_key: bytes, sealed_by: str
) -> None:
    body = msgspec.json.encode(content)
    digest = sha256(body).hexdigest()
    sealed_at = await tally_store.put(connection, frozen.number, content.version, digest, body, sealed_by)
    sealed = seal(tally_key, body, frozen.id.encode())
    message = TallyMessage(frozen.id, content.version, digest, sealed_at, sealed)
    await outbox.append(connection, VOTING_TALLIES, message)


async def tell_reopened(connection: Connection, frozen: FrozenRound) -> None:
    """In the transaction of whatever happened to a ballot: scoring must know that the tally it has is outdated.

    Before the first seal there is nobody to tell.
    """
    newest = await tally_store.newest(connection, frozen.number)
    if newest is None:
        return
    since = await tally_store.since(connection, frozen.number)
    message = ReopenedMessage(frozen.id, newest.version, since.undecided, since.excluded, since.restored)
    await outbox.append(connection, VOTING_TALLIES, message)


async def seal_due_once(pool: Pool, rounds: RoundBook, tally_key: bytes, now: datetime) -> int:
    """Seal every round whose grace has passed and whose holds are decided; returns how many."""
    done = 0
    for frozen in rounds.all():
        if frozen.sealed_at is not None or frozen.seal_due is None or now < frozen.seal_due:
            continue
        try:
            await seal_round(pool, frozen, tally_key, now, "rules")
        except Refusal:
            continue
        done += 1
    return done

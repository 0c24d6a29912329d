"""Holds: a suspicion against ballots, decided by one person and confirmed by another; nothing is ever deleted.

States of a ballot: recorded → held → excluded or restored; restored → held; excluded → restored. Who decides belongs to
no unit or channel that the ballots concern, and sees no count. A hold that nobody decides within the rules' days is
restored by the rules. After the seal all of it goes on, for the next tally, until a meeting confirms the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

import asyncpg
import msgspec

from services.shared.clock import add_working_days
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff
from services.voting.ledger import SEARCH_S
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt
from services.voting.reissues import store as reissue_store
from services.voting.rounds import FrozenRound
from services.voting.tally import LOCK_CLASS, require_unconfirmed, tell_reopened

_BALLOTS_MAX = 100_000


class HoldReason(StrEnum):
    """Why ballots are held: a closed list, published with the exclusions."""

    BOUGHT_VOTES = "bought_votes"
    RENTED_ACCOUNTS = "rented_accounts"
    AUTOMATED = "automated"
    STOLEN_IDENTITY = "stolen_identity"
    COERCION = "coercion"
    STATION_MISUSE = "station_misuse"
    UNUSUAL_PATTERN = "unusual_pattern"
    OTHER = "other"


class Decision(StrEnum):
    """What is decided; the word of the state it leads to is understood too."""

    EXCLUDE = "exclude"
    RESTORE = "restore"

    @classmethod
    def _missing_(cls, value: object) -> Decision | None:
        return {"excluded": cls.EXCLUDE, "restored": cls.RESTORE}.get(str(value))


class BallotQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Ballots by facts that say nothing of the choice; times are the recorded ones, `[since, until)`."""

    since: datetime | None = None
    until: datetime | None = None
    route: str = ""
    same_device_as: str = ""
    same_address_as: str = ""


class HoldForm(msgspec.Struct):
    """`ballots` are receipts or ballot ids."""

    reason: str
    evidence: str
    ballots: list[str] = []
    query: BallotQuery | None = None


class DecisionForm(msgspec.Struct):
    decision: Decision
    reason: str


class Key(msgspec.Struct, frozen=True):
    voter_key: bytes
    ballot_id: UUID


class HoldView(msgspec.Struct, frozen=True):
    """A hold as the office sees it: never which candidates it touches, nor how many votes.

    `decision` is the newest one; without `confirmed_by` it waits for its second signature. After `due_on` the rules
    restore what nobody decided.
    """

    hold: UUID
    reason: str
    evidence: str
    ballots: int
    proposed_by: str
    proposed_at: datetime
    state: str
    decided_by: str | None = None
    confirmed_by: str | None = None
    decision: str | None = None
    decision_reason: str | None = None
    due_on: date | None = None


async def propose(pool: Pool, frozen: FrozenRound, staff: Staff, form: HoldForm) -> HoldView:
    """Hold ballots; raises Refusal bad_hold, conflict_of_interest, bad_transition or list_confirmed."""
    if form.reason not in list(HoldReason):
        raise Refusal(Reason.BAD_HOLD, f"`reason` is one of: {', '.join(HoldReason)}.")
    if not form.evidence.strip():
        raise Refusal(Reason.BAD_HOLD, "Say in `evidence` what was seen; it is kept for ever.")
    async with transaction(pool) as connection:
        await _lock_changes(connection, frozen)
        keys = await _find(connection, frozen, form)
        await require_no_interest(connection, frozen, staff, keys)
        await _require_states(connection, frozen, keys, {"recorded", "restored"})
        row = await connection.fetchrow(
            "INSERT INTO holds (hold, round_number, reason, evidence, proposed_by) VALUES ($1, $2, $3, $4, $5)"
            " RETURNING hold, proposed_at",
            uuid4(),
            frozen.number,
            form.reason,
            form.evidence.strip(),
            staff.username,
        )
        assert row is not None
        await _append(connection, frozen, keys, "held", form.reason, row["hold"])
    return HoldView(row["hold"], form.reason, form.evidence, len(keys), staff.username, row["proposed_at"], "held")


async def decide(pool: Pool, frozen: FrozenRound, staff: Staff, hold: UUID, form: DecisionForm) -> None:
    """First signature under a decision; it takes effect when another person confirms it."""
    if not form.reason.strip():
        raise Refusal(Reason.BAD_HOLD, "A decision needs a reason.")
    async with transaction(pool) as connection:
        await _lock_changes(connection, frozen)
        keys, state, _ = await _load(connection, frozen, hold)
        await require_no_interest(connection, frozen, staff, keys)
        allowed = {"held"} if form.decision is Decision.EXCLUDE else {"held", "excluded"}
        if state not in allowed:
            raise Refusal(Reason.BAD_TRANSITION, f"A hold that is {state} cannot be decided as {form.decision}.")
        if form.decision is Decision.RESTORE:
            await _require_not_reissued(connection, frozen, keys)
        try:
            await connection.execute(
                "INSERT INTO hold_decisions (hold, decision, reason, decided_by) VALUES ($1, $2, $3, $4)",
                hold,
                form.decision.value,
                form.reason.strip(),
                staff.username,
            )
        except asyncpg.UniqueViolationError:
            raise Refusal(Reason.BAD_TRANSITION, "A decision already waits for its second signature.") from None


async def confirm(pool: Pool, frozen: FrozenRound, staff: Staff, hold: UUID) -> str:
    """Second signature: the decision takes effect. Returns the new state."""
    async with transaction(pool) as connection:
        await _lock_changes(connection, frozen)
        keys, _, reason = await _load(connection, frozen, hold)
        await require_no_interest(connection, frozen, staff, keys)
        row = await connection.fetchrow(
            "SELECT id, decision, decided_by FROM hold_decisions WHERE hold = $1 AND confirmed_at IS NULL FOR UPDATE",
            hold,
        )
        if row is None:
            raise Refusal(Reason.BAD_TRANSITION, "No decision waits for a second signature.")
        if row["decided_by"] == staff.username:
            raise Refusal(Reason.SAME_PERSON, "Another person than the one who decided must confirm.")
        return await _take_effect(connection, frozen, keys, hold, row, reason, staff.username)


async def _take_effect(
    connection: Connection, frozen: FrozenRound, keys: Sequence[Key], hold: UUID, decision: asyncpg.Record,
    reason: str, confirmed_by: str,
) -> str:  # fmt: skip
    await connection.execute(
        "UPDATE hold_decisions SET confirmed_by = $2, confirmed_at = clock_timestamp() WHERE id = $1",
        decision["id"],
        confirmed_by,
    )
    state = "excluded" if decision["decision"] == Decision.EXCLUDE else "restored"
    if state == "restored":
        await _require_not_reissued(connection, frozen, keys)
    await _append(connection, frozen, keys, state, reason, hold)
    return state


async def list_holds(pool: Pool, frozen: FrozenRound) -> list[HoldView]:
    """All holds of a round, newest first."""
    rows = await pool.fetch(
        "SELECT h.hold, h.reason, h.evidence, h.proposed_by, h.proposed_at, d.decided_by, d.confirmed_by, d.decision,"
        " d.reason AS decision_reason, e.state,"
        " (SELECT count(DISTINCT (x.voter_key, x.ballot_id)) FROM ballot_events AS x"
        "  WHERE x.round_number = h.round_number AND x.hold = h.hold) AS ballots"
        " FROM holds AS h"
        " LEFT JOIN LATERAL (SELECT decided_by, confirmed_by, decision, reason FROM hold_decisions WHERE hold = h.hold"
        "  ORDER BY id DESC LIMIT 1) AS d ON true"
        " LEFT JOIN LATERAL (SELECT state FROM ballot_events AS x WHERE x.round_number = h.round_number"
        "  AND x.hold = h.hold ORDER BY id DESC LIMIT 1) AS e ON true"
        " WHERE h.round_number = $1 ORDER BY h.proposed_at DESC LIMIT 500",
        frozen.number,
    )
    found = [HoldView(**dict(row)) for row in rows]
    return [msgspec.structs.replace(each, due_on=due(frozen, each)) for each in found]


def due(frozen: FrozenRound, view: HoldView) -> date:
    """The last day on which a hold can be decided; then the rules restore it."""
    proposed = view.proposed_at.astimezone(frozen.zone).date()
    return add_working_days(proposed, frozen.rules.windows.hold_decision_working_days)


async def restore_overdue(pool: Pool, frozen: FrozenRound, today: date) -> int:
    """Restore holds that nobody decided within the rules' working days; returns how many."""
    restored = 0
    for view in await list_holds(pool, frozen):
        if view.state == "held" and today > due(frozen, view):
            restored += await _restore_by_rules(pool, frozen, view.hold)
    return restored


async def _restore_by_rules(pool: Pool, frozen: FrozenRound, hold: UUID) -> int:
    async with transaction(pool) as connection:
        await _lock(connection, frozen)
        keys, state, reason = await _load(connection, frozen, hold)
        if state != "held":
            return 0
        # An unconfirmed decision lapses with the period it was to be made in.
        await connection.execute(
            "UPDATE hold_decisions SET confirmed_by = 'lapsed', confirmed_at = clock_timestamp()"
            " WHERE hold = $1 AND confirmed_at IS NULL",
            hold,
        )
        await connection.execute(
            "INSERT INTO hold_decisions (hold, decision, reason, decided_by, confirmed_by, confirmed_at)"
            " VALUES ($1, 'restore', 'not decided in time', 'rules', 'clock', clock_timestamp())",
            hold,
        )
        await _append(connection, frozen, keys, "restored", reason, hold)
    return 1


async def _lock(connection: Connection, frozen: FrozenRound) -> None:
    """Decisions, extensions and sealing exclude each other."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK_CLASS + 1, frozen.number)


async def _lock_changes(connection: Connection, frozen: FrozenRound) -> None:
    """Before anything happens to a ballot; raises Refusal list_confirmed."""
    await _lock(connection, frozen)
    require_unconfirmed(frozen)


async def lock_unsealed(connection: Connection, frozen: FrozenRound) -> None:
    """Before somebody is let vote anew; raises Refusal already_sealed, for after the seal nobody votes."""
    await _lock(connection, frozen)
    if await connection.fetchval("SELECT sealed_at FROM rounds WHERE number = $1", frozen.number) is not None:
        raise Refusal(Reason.ALREADY_SEALED, "The tally is sealed; nobody votes in this round any more.")


async def _find(connection: Connection, frozen: FrozenRound, form: HoldForm) -> list[Key]:
    if bool(form.ballots) == (form.query is not None):
        raise Refusal(Reason.BAD_HOLD, "Name either `ballots` or a `query`.")
    rows = await _by_query(connection, frozen, form.query) if form.query else await _named(connection, frozen, form)
    if not rows:
        raise Refusal(Reason.BAD_HOLD, "No ballot of this round fits.")
    if len(rows) > _BALLOTS_MAX:
        raise Refusal(Reason.BAD_HOLD, f"More than {_BALLOTS_MAX} ballots fit; narrow the query.")
    return [Key(row["voter_key"], row["ballot_id"]) for row in rows]


async def _named(connection: Connection, frozen: FrozenRound, form: HoldForm) -> list[asyncpg.Record]:
    receipts = [raw for text in form.ballots if (raw := parse_receipt(text)) is not None]
    identifiers = [found for text in form.ballots if (found := parse_ballot_id(text)) is not None]
    rows = await connection.fetch(
        "SELECT voter_key, ballot_id FROM ballots WHERE round_number = $1 AND receipt = ANY($2::bytea[])",
        frozen.number,
        receipts,
    )
    if identifiers:
        # An id alone has no index: voters find theirs by their key.
        rows += await connection.fetch(
            "SELECT voter_key, ballot_id FROM ballots WHERE round_number = $1 AND ballot_id = ANY($2::uuid[])"
            " AND NOT receipt = ANY($3::bytea[])",
            frozen.number,
            identifiers,
            receipts,
            timeout=SEARCH_S,
        )
    if len(rows) < len(set(form.ballots)):
        raise Refusal(Reason.BAD_HOLD, f"{len(set(form.ballots)) - len(rows)} of the ballots are not in this round.")
    return rows


def parse_ballot_id(text: str) -> UUID | None:
    """The ballot id, or None when `text` is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def _by_query(connection: Connection, frozen: FrozenRound, query: BallotQuery) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT b.voter_key, b.ballot_id FROM ballots AS b WHERE b.round_number = $1"
        " AND ($2::timestamptz IS NULL OR b.recorded_at >= $2) AND ($3::timestamptz IS NULL OR b.recorded_at < $3)"
        " AND ($4 = '' OR b.route = $4)"
        " AND ($5::bytea IS NULL OR b.device = (SELECT device FROM ballots WHERE receipt = $5))"
        " AND ($6::bytea IS NULL OR b.address = (SELECT address FROM ballots WHERE receipt = $6))"
        " AND NOT EXISTS (SELECT FROM ballot_states AS s WHERE s.round_number = b.round_number"
        "  AND s.voter_key = b.voter_key AND s.ballot_id = b.ballot_id AND s.state IN ('held', 'excluded'))"
        " LIMIT $7",
        frozen.number,
        query.since,
        query.until,
        query.route,
        parse_receipt(query.same_device_as) if query.same_device_as else None,
        parse_receipt(query.same_address_as) if query.same_address_as else None,
        _BALLOTS_MAX + 1,
        timeout=SEARCH_S,
    )


async def _load(connection: Connection, frozen: FrozenRound, hold: UUID) -> tuple[list[Key], str, str]:
    """(ballots of the hold, their state, the hold's reason)."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (e.voter_key, e.ballot_id) e.voter_key, e.ballot_id, e.state, h.reason"
        " FROM holds AS h JOIN ballot_events AS e ON e.hold = h.hold AND e.round_number = h.round_number"
        " WHERE h.hold = $1 AND h.round_number = $2 ORDER BY e.voter_key, e.ballot_id, e.id DESC",
        hold,
        frozen.number,
    )
    if not rows:
        raise Refusal(Reason.UNKNOWN_HOLD, "There is no such hold in this round.")
    return [Key(row["voter_key"], row["ballot_id"]) for row in rows], rows[0]["state"], rows[0]["reason"]


async def require_no_interest(connection: Connection, frozen: FrozenRound, staff: Staff, keys: Sequence[Key]) -> None:
    """Refuse who belongs to a unit or channel that one of the ballots chose."""
    if not staff.unit and not staff.channel:
        return
    rows = await connection.fetch(
        "SELECT DISTINCT unnest(choices) AS number FROM ballots WHERE round_number = $1"
        " AND (voter_key, ballot_id) IN (SELECT * FROM unnest($2::bytea[], $3::uuid[]))",
        frozen.number,
        [key.voter_key for key in keys],
        [key.ballot_id for key in keys],
    )
    cards = [frozen.by_number[row["number"]] for row in rows]
    if any(card.unit == staff.unit or card.channel == staff.channel for card in cards):
        raise Refusal(Reason.CONFLICT_OF_INTEREST, "These ballots concern your own unit or channel.")


async def _require_not_reissued(connection: Connection, frozen: FrozenRound, keys: Sequence[Key]) -> None:
    """A voter who was granted a vote anew would count twice if the excluded ballot came back."""
    voter_keys, ballot_ids = [key.voter_key for key in keys], [key.ballot_id for key in keys]
    if await reissue_store.any_granted(connection, frozen.number, voter_keys, ballot_ids):
        raise Refusal(Reason.BAD_TRANSITION, "A voter of these ballots was granted a vote anew; they stay excluded.")


async def _require_states(connection: Connection, frozen: FrozenRound, keys: Sequence[Key], allowed: set[str]) -> None:
    wrong = await connection.fetchval(
        "SELECT count(*) FROM ballot_states AS s WHERE s.round_number = $1 AND NOT s.state = ANY($4::text[])"
        " AND (s.voter_key, s.ballot_id) IN (SELECT * FROM unnest($2::bytea[], $3::uuid[]))",
        frozen.number,
        [key.voter_key for key in keys],
        [key.ballot_id for key in keys],
        sorted(allowed),
    )
    if wrong:
        raise Refusal(Reason.BAD_TRANSITION, f"{wrong} of the ballots are already held or excluded.")


async def _append(
    connection: Connection, frozen: FrozenRound, keys: Sequence[Key], state: str, reason: str, hold: UUID
) -> None:
    """The one place where something happens to a ballot; whoever holds a sealed tally learns of it."""
    await connection.execute(
        "INSERT INTO ballot_events (round_number, voter_key, ballot_id, state, reason, hold)"
        " SELECT $1, voter_key, ballot_id, $4, $5, $6 FROM unnest($2::bytea[], $3::uuid[]) AS k (voter_key, ballot_id)",
        frozen.number,
        [key.voter_key for key in keys],
        [key.ballot_id for key in keys],
        state,
        reason,
        hold,
    )
    await tell_reopened(connection, frozen)

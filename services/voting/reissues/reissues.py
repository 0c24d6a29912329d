"""A vote granted anew: the rightful voter of an excluded ballot may vote again at the next sign-in.

Two people sign, neither of a unit or channel that the ballot concerns; only before the seal, only while the voter's
newest ballot is excluded. Afterwards that ballot cannot be restored (`holds.py` asks for it): nobody counts twice.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff
from services.voting import store as voting_store
from services.voting.holds import Key, lock_unsealed, parse_ballot_id, require_no_interest
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt
from services.voting.reissues import store
from services.voting.rounds import FrozenRound


class ReissueForm(msgspec.Struct):
    """The excluded ballot by its `receipt` or its `ballot_id`."""

    reason: str
    receipt: str = ""
    ballot_id: str = ""


class ReissueView(msgspec.Struct, frozen=True):
    """A proposal as the office sees it: neither the voter nor the ballot."""

    reissue: UUID
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None = None
    granted_at: datetime | None = None


async def propose(pool: Pool, frozen: FrozenRound, staff: Staff, form: ReissueForm) -> ReissueView:
    """First signature; raises Refusal bad_reissue, conflict_of_interest, bad_transition or already_sealed."""
    reason = form.reason.strip()
    if not reason:
        raise Refusal(Reason.BAD_REISSUE, "Say in `reason` how the rightful voter was recognised; it is kept for ever.")
    if frozen.rules.ballot.per == "day":
        # A token of before the grant would be worth a second ballot after midnight.
        raise Refusal(Reason.BAD_REISSUE, "This round votes by day: the rightful voter has a new ballot tomorrow.")
    async with transaction(pool) as connection:
        await lock_unsealed(connection, frozen)
        ballot = await _excluded(connection, frozen, form)
        key = Key(ballot["voter_key"], ballot["ballot_id"])
        await require_no_interest(connection, frozen, staff, [key])
        granted = await voting_store.newest_reissue(connection, frozen.number, key.voter_key)
        if granted != ballot["reissue"]:
            raise Refusal(Reason.BAD_TRANSITION, "This voter was already granted another vote after this ballot.")
        row = await store.add_proposal(
            connection, frozen.number, key.voter_key, key.ballot_id, granted + 1, reason, staff.username
        )
    if row is None:
        raise Refusal(
            Reason.BAD_TRANSITION, "A vote anew was already proposed for this ballot; another person confirms it."
        )
    return ReissueView(row["proposal"], reason, staff.username, row["proposed_at"])


async def confirm(pool: Pool, frozen: FrozenRound, staff: Staff, proposal: UUID) -> None:
    """Second signature: granted. Raises Refusal unknown_reissue, same_person, conflict_of_interest, bad_transition
    or already_sealed."""
    async with transaction(pool) as connection:
        await lock_unsealed(connection, frozen)
        row = await store.find_proposal(connection, frozen.number, proposal)
        if row is None:
            raise Refusal(Reason.UNKNOWN_REISSUE, "There is no such proposal in this round; list them and choose one.")
        if row["proposed_by"] == staff.username:
            raise Refusal(Reason.SAME_PERSON, "Another person than the one who proposed must confirm.")
        await require_no_interest(connection, frozen, staff, [Key(row["voter_key"], row["ballot_id"])])
        if not await store.is_excluded(connection, frozen.number, row["voter_key"], row["ballot_id"]):
            # It may have been restored since the proposal.
            raise Refusal(Reason.BAD_TRANSITION, "The ballot is no longer excluded; nothing is to be granted.")
        granted = await store.grant(
            connection, frozen.number, row["voter_key"], row["reissue"], row["reason"], row["proposed_by"],
            staff.username,
        )  # fmt: skip
    if not granted:
        raise Refusal(Reason.BAD_TRANSITION, "This vote was granted before.")


async def listed(pool: Pool, frozen: FrozenRound) -> list[ReissueView]:
    """Every proposal of a round, newest first."""
    return [ReissueView(*row.values()) for row in await store.listed(pool, frozen.number)]


async def _excluded(connection: Connection, frozen: FrozenRound, form: ReissueForm) -> asyncpg.Record:
    """The excluded ballot of this round that the form names; raises Refusal bad_reissue or bad_transition."""
    if bool(form.receipt) == bool(form.ballot_id):
        raise Refusal(Reason.BAD_REISSUE, "Name the ballot by either its `receipt` or its `ballot_id`.")
    receipt, ballot_id = parse_receipt(form.receipt), parse_ballot_id(form.ballot_id)
    rows = await store.find_ballot(connection, frozen.number, receipt, ballot_id)
    if len(rows) != 1:
        # Ballot ids are the phones' choice: two voters may have sent the same one.
        detail = "No ballot of this round fits." if not rows else "Two ballots have this id; name the receipt."
        raise Refusal(Reason.BAD_REISSUE, detail)
    if not await store.is_excluded(connection, frozen.number, rows[0]["voter_key"], rows[0]["ballot_id"]):
        raise Refusal(Reason.BAD_TRANSITION, "Only after a ballot was excluded may its voter vote again.")
    return rows[0]

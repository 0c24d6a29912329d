"""Withdrawal of a candidate after freezing: proposed by one, confirmed by another, then public at once.

The written rule: a candidate may withdraw until the ranking is published, also while voting is open. Its choices count
for nothing from then on, ballots stay as they are, and numbers are not drawn again. It is refused while the vote is not
over and so few would be left that no ballot could be filled in; close the vote first.
"""

import secrets
from datetime import datetime

import msgspec

from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rounds import access, freezing, store
from services.registry.rounds.views import Round
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.ranking.rules import parse_rules
from services.shared.staff import Staff

_COLUMNS = (
    "SELECT w.withdrawal, w.round, w.candidate, w.reason, w.proposed_by, w.proposed_at, c.confirmed_by, c.withdrawn_at"
    " FROM withdrawals w LEFT JOIN candidate_withdrawals c USING (withdrawal)"
)


class Withdrawal(msgspec.Struct, frozen=True):
    """A proposed withdrawal; in force once `withdrawn_at` is there."""

    withdrawal: str
    round: str
    candidate: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None = None
    withdrawn_at: datetime | None = None


async def propose(pool: Pool, round_id: str, candidate: str, reason: str, actor: Staff, now: datetime) -> Withdrawal:
    """The first signature. Raises Refusal `unknown_candidate`, `already_withdrawn`, `too_late`, `too_few_left`."""
    why = " ".join(reason.split())
    if not 0 < len(why) <= freezing.REASON_MAX:
        raise Refusal(
            RegistryReason.REASON_MISSING, f"Say in 1 to {freezing.REASON_MAX} characters why; it is published."
        )
    async with transaction(pool) as connection:
        await _require_possible(connection, round_id, candidate, actor, now)
        made = Withdrawal(secrets.token_hex(8), round_id, candidate, why, actor.staff, now)
        await connection.execute(
            "INSERT INTO withdrawals (withdrawal, round, candidate, reason, proposed_by, proposed_at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            made.withdrawal, round_id, candidate, why, actor.staff, now,
        )  # fmt: skip
        await record(
            connection, now, actor.staff, "candidate.withdrawal_proposed", "candidate", candidate, round_id=round_id,
            after={"withdrawal": made.withdrawal, "reason": why},
        )  # fmt: skip
    return made


async def confirm(
    pool: Pool, round_id: str, candidate: str, identifier: str, actor: Staff, now: datetime
) -> Withdrawal:
    """The second signature: the event is public and goes to the other services in the same transaction."""
    async with transaction(pool) as connection:
        await _require_possible(connection, round_id, candidate, actor, now)
        row = await connection.fetchrow(
            f"{_COLUMNS} WHERE w.withdrawal = $1 AND w.round = $2 AND w.candidate = $3",
            identifier.replace("\0", ""), round_id, candidate,
        )  # fmt: skip
        if row is None:
            raise Refusal(
                RegistryReason.UNKNOWN_PROPOSAL, f"There is no proposed withdrawal {identifier[:40]!r} of it."
            )
        if row["proposed_by"] == actor.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You proposed it; a different administrator must confirm it.")
        await connection.execute(
            "INSERT INTO candidate_withdrawals (round, candidate, withdrawal, withdrawn_at, confirmed_by)"
            " VALUES ($1, $2, $3, $4, $5)",
            round_id, candidate, identifier, now, actor.staff,
        )  # fmt: skip
        await store.add_event(connection, round_id, now, "withdrawal", f"{candidate}: {row['reason']}", actor.staff)
        await store.publish(connection, round_id)
        await record(
            connection, now, actor.staff, "candidate.withdrawn", "candidate", candidate, round_id=round_id,
            before={"proposed_by": row["proposed_by"]}, after={"withdrawal": identifier, "reason": row["reason"]},
        )  # fmt: skip
        return Withdrawal(**{**dict(row), "confirmed_by": actor.staff, "withdrawn_at": now})


async def of_round(pool: Pool, round_id: str) -> list[Withdrawal]:
    """Every proposed withdrawal of a round, oldest first."""
    rows = await pool.fetch(f"{_COLUMNS} WHERE w.round = $1 ORDER BY w.proposed_at, w.withdrawal", round_id)
    return [Withdrawal(**dict(row)) for row in rows]


async def _require_possible(connection: Connection, round_id: str, candidate: str, actor: Staff, now: datetime) -> None:
    await store.lock_round(connection, round_id)
    round_ = await store.require_round(connection, round_id)
    card = next((each for each in round_.candidates if each.candidate == candidate), None)
    if card is None:
        raise Refusal(RegistryReason.UNKNOWN_CANDIDATE, f"There is no candidate {candidate[:64]!r} in {round_id}.")
    await access.require_no_interest(connection, round_id, actor, [candidate])
    if card.withdrawn_at is not None:
        raise Refusal(RegistryReason.ALREADY_WITHDRAWN, f"Number {card.number} withdrew at {card.withdrawn_at}.")
    if round_.list_version:
        raise Refusal(
            RegistryReason.TOO_LATE, "The ranking is published; what changes now is a change of the list (re-check)."
        )
    if problem := too_few(round_, candidate, now):
        raise Refusal(RegistryReason.TOO_FEW_LEFT, problem)


def too_few(round_: Round, candidate: str, now: datetime) -> str:
    """Why no ballot could be filled in without this candidate, as a sentence; empty where one could."""
    ends = round_.voting_ends_at
    if ends is None or ends <= now:
        return ""
    ballot = parse_rules(round_.rules.encode()).ballot
    standing = [each for each in round_.candidates if each.withdrawn_at is None and each.candidate != candidate]
    if len(standing) < ballot.choices_min:
        return (
            f"A ballot needs {ballot.choices_min} choices and {len(standing)} candidates would be left; close the vote."
        )
    channels = len({each.channel for each in standing})
    if channels < ballot.channels_min:
        return f"A ballot needs {ballot.channels_min} channels and {channels} would be left; close the vote first."
    return ""

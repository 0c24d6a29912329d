"""Erasure: destroying a round's identity key, after which nothing of identity can be matched again.

Two people sign; only after the tally is sealed. The ballots stay and still verify.
"""

from __future__ import annotations

from services.shared.errors import Refusal
from services.shared.postgres import Pool, transaction
from services.shared.staff import Staff
from services.voting.identity import RoundKeys
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound


async def propose(pool: Pool, frozen: FrozenRound, staff: Staff) -> None:
    """First signature; raises Refusal not_sealed or bad_transition."""
    if frozen.sealed_at is None:
        raise Refusal(Reason.NOT_SEALED, "The identity key is needed until the tally is sealed.")
    added: str = await pool.execute(
        "INSERT INTO forgettings (round_number, proposed_by) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        frozen.number,
        staff.username,
    )
    if not added.endswith(" 1"):
        raise Refusal(Reason.BAD_TRANSITION, "Forgetting was proposed before; another person confirms it.")


async def confirm(pool: Pool, keys: RoundKeys, frozen: FrozenRound, staff: Staff) -> None:
    """Second signature: the key is destroyed. Safe to repeat after a crash between the file and the commit."""
    async with transaction(pool) as connection:
        row = await connection.fetchrow(
            "SELECT proposed_by, confirmed_at FROM forgettings WHERE round_number = $1 FOR UPDATE", frozen.number
        )
        if row is None:
            raise Refusal(Reason.BAD_TRANSITION, "Nobody has proposed to forget this round.")
        if row["proposed_by"] == staff.username:
            raise Refusal(Reason.SAME_PERSON, "Another person than the one who proposed must confirm.")
        keys.destroy(frozen.id)
        if row["confirmed_at"] is None:
            await connection.execute(
                "UPDATE forgettings SET confirmed_by = $2, confirmed_at = clock_timestamp() WHERE round_number = $1",
                frozen.number,
                staff.username,
            )
        await connection.execute(
            "UPDATE rounds SET forgotten_at = coalesce(forgotten_at, clock_timestamp()) WHERE number = $1",
            frozen.number,
        )

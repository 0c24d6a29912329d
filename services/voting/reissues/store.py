"""SQL of reissues: proposals, the second signature, and whether a voter was granted a vote anew."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.shared.postgres import Connection, Pool
from services.voting.ledger import SEARCH_S


async def find_ballot(
    connection: Connection, round_number: int, receipt: bytes | None, ballot_id: UUID | None
) -> list[asyncpg.Record]:
    """voter_key, ballot_id, reissue of the ballots with this receipt or this id, two at most."""
    column, value = ("ballot_id", ballot_id) if receipt is None else ("receipt", receipt)
    return await connection.fetch(
        "SELECT voter_key, ballot_id, reissue FROM ballots"  # noqa: S608 - a column's name
        f" WHERE round_number = $1 AND {column} = $2 LIMIT 2",
        round_number,
        value,
        timeout=SEARCH_S,
    )


async def is_excluded(connection: Connection, round_number: int, voter_key: bytes, ballot_id: UUID) -> bool:
    state = await connection.fetchval(
        "SELECT state FROM ballot_events WHERE round_number = $1 AND voter_key = $2 AND ballot_id = $3"
        " ORDER BY id DESC LIMIT 1",
        round_number,
        voter_key,
        ballot_id,
    )
    return bool(state == "excluded")


async def add_proposal(
    connection: Connection, round_number: int, voter_key: bytes, ballot_id: UUID, reissue: int, reason: str, staff: str
) -> asyncpg.Record | None:
    """proposal, proposed_at of a new proposal, or None when this ballot has one."""
    return await connection.fetchrow(
        "INSERT INTO reissue_proposals (round_number, voter_key, ballot_id, reissue, reason, proposed_by)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING proposal, proposed_at",
        round_number,
        voter_key,
        ballot_id,
        reissue,
        reason,
        staff,
    )


async def find_proposal(connection: Connection, round_number: int, proposal: UUID) -> asyncpg.Record | None:
    """voter_key, ballot_id, reissue, reason, proposed_by of a proposal of this round."""
    return await connection.fetchrow(
        "SELECT voter_key, ballot_id, reissue, reason, proposed_by FROM reissue_proposals"
        " WHERE round_number = $1 AND proposal = $2",
        round_number,
        proposal,
    )


async def grant(
    connection: Connection, round_number: int, voter_key: bytes, reissue: int, reason: str, granted_by: str,
    confirmed_by: str,
) -> bool:  # fmt: skip
    """True when the vote was granted by this call."""
    added: str = await connection.execute(
        "INSERT INTO reissues (round_number, voter_key, reissue, reason, granted_by, confirmed_by)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        round_number,
        voter_key,
        reissue,
        reason,
        granted_by,
        confirmed_by,
    )
    return added.endswith(" 1")


async def listed(pool: Pool, round_number: int) -> list[asyncpg.Record]:
    """proposal, reason, proposed_by, proposed_at, confirmed_by, granted_at, newest first: no voter, no choice."""
    return await pool.fetch(
        "SELECT p.proposal, p.reason, p.proposed_by, p.proposed_at, r.confirmed_by, r.granted_at"
        " FROM reissue_proposals AS p LEFT JOIN reissues AS r USING (round_number, voter_key, reissue)"
        " WHERE p.round_number = $1 ORDER BY p.proposed_at DESC LIMIT 500",
        round_number,
    )


async def any_granted(
    connection: Connection, round_number: int, voter_keys: Sequence[bytes], ballot_ids: Sequence[UUID]
) -> bool:
    """Whether one of these ballots was followed by a vote granted anew."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM reissue_proposals AS p JOIN reissues USING (round_number, voter_key, reissue)"
            " WHERE p.round_number = $1"
            " AND (p.voter_key, p.ballot_id) IN (SELECT * FROM unnest($2::bytea[], $3::uuid[])))",
            round_number,
            voter_keys,
            ballot_ids,
        )
    )

"""What the administrators' pages ask of PostgreSQL beside the rounds themselves: progress, second signatures, names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from services.shared.postgres import Pool


class Waiting(msgspec.Struct, frozen=True):
    """An act with one signature; `round` is a call's id where the act concerns a call."""

    kind: str
    round: str
    title: str
    object: str
    reason: str
    by: str
    by_name: str
    at: datetime


_WAITING = """
    SELECT w.*, coalesce(s.name, '') AS by_name FROM (
        SELECT 'call_change' AS kind, h.call AS round, c.title, h.change AS object,
            h.name || ': ' || h.reason AS reason, h.proposed_by AS by, h.proposed_at AS at
        FROM call_changes h JOIN calls c ON c.call = h.call AND c.version = h.version
        WHERE h.confirmed_by IS NULL AND c.state = 'announced'
        UNION ALL
        SELECT 'withdrawal', p.round, r.title, p.candidate, p.reason, p.proposed_by, p.proposed_at
        FROM withdrawals p JOIN rounds r USING (round) JOIN round_states z USING (round)
        WHERE z.list_version = 0
          AND NOT EXISTS (SELECT FROM candidate_withdrawals d WHERE (d.round, d.candidate) = (p.round, p.candidate))
        UNION ALL
        SELECT 'list_' || p.act, p.round, r.title, p.proposal::text, '', p.proposed_by, p.proposed_at
        FROM list_proposals p JOIN rounds r USING (round) JOIN round_states z USING (round)
        WHERE p.state = 'proposed' AND p.list_version = z.list_version
    ) w LEFT JOIN staff s ON s.staff = w.by
    WHERE $1 = '' OR w.round = $1 ORDER BY w.at LIMIT 200"""


async def waiting(pool: Pool, round_id: str = "") -> list[Waiting]:
    """Acts that wait for their second signature, oldest first; of one call or round, or of all of them."""
    if "\0" in round_id:
        return []
    return [Waiting(**dict(row)) for row in await pool.fetch(_WAITING, round_id)]


async def names(pool: Pool, accounts: Iterable[str]) -> dict[str, str]:
    """Account → its name, its username where it has none; accounts that nobody has stand as they are."""
    wanted = sorted({*accounts})
    rows = await pool.fetch("SELECT staff, username, name FROM staff WHERE staff = ANY($1)", wanted)
    known = {row["staff"]: row["name"] or row["username"] for row in rows}
    return {account: known.get(account, account) for account in wanted}


async def stages(pool: Pool, call: str) -> dict[str, int]:
    """Stage → applications of a call."""
    rows = await pool.fetch("SELECT stage, count(*) AS found FROM applications WHERE call = $1 GROUP BY stage", call)
    return {row["stage"]: row["found"] for row in rows}


async def unsent_channels(pool: Pool, call: str) -> list[str]:
    """Names of channels with applications to recommend that have not sent their recommendation."""
    rows = await pool.fetch(
        "SELECT DISTINCT h.name FROM applications a JOIN channels h USING (channel)"
        " LEFT JOIN recommendations r ON r.call = a.call AND r.channel = a.channel"
        " WHERE a.call = $1 AND a.stage = 'submitted' AND r.sent_at IS NULL ORDER BY h.name",
        call,
    )
    return [row["name"] for row in rows]


async def projects(pool: Pool, round_id: str) -> tuple[int, int, int]:
    """(projects of a round, how many are settled, how many have an approved grant)."""
    row = await pool.fetchrow(
        "SELECT count(*) AS projects,"
        " count(*) FILTER (WHERE EXISTS (SELECT FROM project_settlements s"
        "   WHERE (s.round, s.candidate) = (p.round, p.candidate))) AS settled,"
        " count(*) FILTER (WHERE EXISTS (SELECT FROM project_amounts a"
        "   WHERE (a.round, a.candidate) = (p.round, p.candidate))) AS granted"
        " FROM projects p WHERE p.round = $1",
        round_id,
    )
    assert row is not None
    return row["projects"], row["settled"], row["granted"]


async def late_calls(pool: Pool, now: datetime) -> list[dict[str, Any]]:
    """Announced calls whose channels should have sent their recommendations: call, title, how many channels."""
    rows = await pool.fetch(
        "SELECT c.call, c.title, count(DISTINCT a.channel) AS count FROM calls c JOIN applications a USING (call)"
        " LEFT JOIN recommendations r ON r.call = a.call AND r.channel = a.channel"
        " WHERE c.state = 'announced' AND c.recommendation_closes_at <= $1 AND a.stage = 'submitted'"
        " AND r.sent_at IS NULL GROUP BY c.call ORDER BY c.call LIMIT 100",
        now,
    )
    return [dict(row) for row in rows]


async def open_objections(pool: Pool, round_id: str = "") -> list[dict[str, Any]]:
    """Objections that wait for an answer, leads left out: round, title, timezone, received_on, reply_days."""
    rows = await pool.fetch(
        "SELECT o.round, r.title, r.timezone, o.received_on, o.reply_days FROM objections o JOIN rounds r USING (round)"
        " WHERE o.answered_at IS NULL AND o.kind <> 'lead' AND ($1 = '' OR o.round = $1)",
        round_id,
    )
    return [dict(row) for row in rows]


async def accounts(pool: Pool, username: str) -> str:
    """The account behind a username, for filters that people type; what is no username stands as it is."""
    found: str | None = username and await pool.fetchval("SELECT staff FROM staff WHERE username = $1", username)
    return found or username

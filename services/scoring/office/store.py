"""SQL of the office: proposals of two people, snapshots, meetings, paper sheets, reminders. Called by `office/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from services.scoring.records import Sheet, SheetState
from services.shared.postgres import Connection, Pool

Reader = Connection | Pool
_PROPOSAL = (
    "p.proposal, p.round, p.kind, p.candidate, p.expert, p.content, p.reason, p.proposed_by, p.proposed_at,"
    " coalesce(c.confirmed_by, '') AS confirmed_by, c.confirmed_at"
)
_FROM_PROPOSALS = "FROM proposals AS p LEFT JOIN proposal_confirmations AS c USING (proposal)"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act on sheets or conflicts that one person proposed and another may confirm."""

    proposal: int
    round: str
    kind: str
    candidate: str
    expert: str
    content: dict[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str = ""
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """The newest meeting of a round and where it stands; `candidate` is empty before the first is opened."""

    round: str
    meeting: int
    chair: str
    present: tuple[str, ...]
    started_by: str
    started_at: datetime
    step: int
    candidate: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Paper:
    """A sheet given out on paper under the code printed on it."""

    code: str
    round: str
    candidate: str
    expert: str
    issued_by: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What one clerk read off a paper sheet."""

    code: str
    entry: int
    clerk: str
    marks: dict[str, str]
    comments: dict[str, str]
    comment: str
    scan: str
    at: datetime


def _proposal(row: asyncpg.Record) -> Proposal:
    return Proposal(**dict(row))


async def put_proposal(connection: Connection, new: Proposal) -> int:
    """Store a proposal; its number is given here."""
    number: int = await connection.fetchval(
        "INSERT INTO proposals (round, kind, candidate, expert, content, reason, proposed_by, proposed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING proposal",
        new.round, new.kind, new.candidate, new.expert, new.content, new.reason, new.proposed_by, new.proposed_at,
    )  # fmt: skip
    return number


async def proposals(reader: Reader, round_id: str, after: int, limit: int) -> list[Proposal]:
    """Proposals in the order in which they were made."""
    rows = await reader.fetch(
        f"SELECT {_PROPOSAL} {_FROM_PROPOSALS} WHERE p.round = $1 AND p.proposal > $2 ORDER BY p.proposal LIMIT $3",
        round_id, after, limit,
    )  # fmt: skip
    return [_proposal(row) for row in rows]


async def lock_proposal(connection: Connection, round_id: str, number: int) -> Proposal | None:
    """The proposal, which nobody else can confirm until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", 0x707A, number)
    row = await connection.fetchrow(
        f"SELECT {_PROPOSAL} {_FROM_PROPOSALS} WHERE p.round = $1 AND p.proposal = $2",
        round_id, number,
    )  # fmt: skip
    return None if row is None else _proposal(row)


async def put_confirmation(connection: Connection, confirmed: Proposal) -> None:
    await connection.execute(
        "INSERT INTO proposal_confirmations (proposal, proposed_by, confirmed_by, confirmed_at)"
        " VALUES ($1, $2, $3, $4)",
        confirmed.proposal, confirmed.proposed_by, confirmed.confirmed_by, confirmed.confirmed_at,
    )  # fmt: skip


async def take_snapshot(connection: Connection, round_id: str, day: date, at: datetime) -> bool:
    """Note which version every sheet has; False where the day has its snapshot already."""
    fresh = await connection.fetchval(
        "INSERT INTO snapshots (round, day, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
        round_id, day, at,
    )  # fmt: skip
    if fresh:
        await connection.execute(
            "INSERT INTO snapshot_sheets (round, day, candidate, expert, version)"
            " SELECT round, $2, candidate, expert, version FROM sheets WHERE round = $1",
            round_id, day,
        )  # fmt: skip
    return bool(fresh)


async def snapshots(reader: Reader, round_id: str) -> list[dict[str, Any]]:
    """Days with a snapshot, when each was taken, and of how many sheets."""
    rows = await reader.fetch(
        "SELECT s.day, s.at, count(v.version) AS sheets FROM snapshots AS s LEFT JOIN snapshot_sheets AS v"
        " USING (round, day) WHERE s.round = $1 GROUP BY s.day, s.at ORDER BY s.day",
        round_id,
    )
    return [dict(row) for row in rows]


async def snapshot_sheets(reader: Reader, round_id: str, day: date, candidate: str, expert: str) -> list[Sheet]:
    """Sheets as they were in a snapshot; an empty candidate or expert means all of them."""
    rows = await reader.fetch(
        "SELECT v.round, v.candidate, v.expert, v.version, v.state, v.marks, v.comments, v.comment"
        " FROM snapshot_sheets AS s JOIN sheet_versions AS v USING (round, candidate, expert, version)"
        " WHERE s.round = $1 AND s.day = $2 AND $3 IN ('', s.candidate) AND $4 IN ('', s.expert)"
        " ORDER BY s.candidate, s.expert",
        round_id, day, candidate, expert,
    )  # fmt: skip
    return [Sheet(**{**dict(row), "state": SheetState(row["state"])}) for row in rows]


async def hold_meeting(connection: Connection, round_id: str) -> None:
    """One act of the chair at a time."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", 0x707B, round_id)


async def meeting(reader: Reader, round_id: str) -> Meeting | None:
    """The newest meeting of a round, with its last step."""
    row = await reader.fetchrow(
        "SELECT m.round, m.meeting, m.chair, m.present, m.started_by, m.started_at, coalesce(s.step, 0) AS step,"
        " coalesce(s.candidate, '') AS candidate, coalesce(s.act, '') = 'ended' AS ended"
        " FROM meetings AS m LEFT JOIN meeting_steps AS s USING (round, meeting)"
        " WHERE m.round = $1 ORDER BY m.meeting DESC, s.step DESC NULLS LAST LIMIT 1",
        round_id,
    )
    return None if row is None else Meeting(**{**dict(row), "present": tuple(row["present"])})


async def put_meeting(connection: Connection, new: Meeting) -> None:
    await connection.execute(
        "INSERT INTO meetings (round, meeting, chair, present, started_by, started_at) VALUES ($1, $2, $3, $4, $5, $6)",
        new.round, new.meeting, new.chair, new.present, new.started_by, new.started_at,
    )  # fmt: skip


async def put_step(connection: Connection, now: Meeting, actor: str, at: datetime) -> None:
    """The chair's newest step: `now` as it stands after it."""
    await connection.execute(
        "INSERT INTO meeting_steps (round, meeting, step, act, candidate, actor, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        now.round, now.meeting, now.step, "ended" if now.ended else "opened", now.candidate, actor, at,
    )  # fmt: skip


async def put_paper(connection: Connection, new: Paper) -> Paper:
    """Store a paper sheet; the one that was given out before where there is one."""
    await connection.execute(
        "INSERT INTO papers (code, round, candidate, expert, issued_by, issued_at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (round, candidate, expert) DO NOTHING",
        new.code, new.round, new.candidate, new.expert, new.issued_by, new.issued_at,
    )  # fmt: skip
    row = await connection.fetchrow(
        "SELECT code, round, candidate, expert, issued_by, issued_at FROM papers"
        " WHERE round = $1 AND candidate = $2 AND expert = $3",
        new.round, new.candidate, new.expert,
    )  # fmt: skip
    assert row is not None
    return Paper(**dict(row))


async def paper(reader: Reader, round_id: str, code: str) -> Paper | None:
    row = await reader.fetchrow(
        "SELECT code, round, candidate, expert, issued_by, issued_at FROM papers WHERE round = $1 AND code = $2",
        round_id, code,
    )  # fmt: skip
    return None if row is None else Paper(**dict(row))


async def hold_paper(connection: Connection, code: str) -> None:
    """One clerk's entry at a time."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", 0x707C, code)


async def entries(reader: Reader, code: str) -> list[Entry]:
    """Every entry of a paper sheet, the oldest first."""
    rows = await reader.fetch(
        "SELECT code, entry, clerk, marks, comments, comment, scan, at FROM paper_entries WHERE code = $1"
        " ORDER BY entry",
        code,
    )
    return [Entry(**dict(row)) for row in rows]


async def put_entry(connection: Connection, new: Entry) -> None:
    await connection.execute(
        "INSERT INTO paper_entries (code, entry, clerk, marks, comments, comment, scan, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.code, new.entry, new.clerk, new.marks, new.comments, new.comment, new.scan, new.at,
    )  # fmt: skip


async def put_reminders(
    connection: Connection, round_id: str, experts: Iterable[str], way: str, actor: str, at: datetime
) -> None:
    await connection.executemany(
        "INSERT INTO reminders (round, expert, way, actor, at) VALUES ($1, $2, $3, $4, $5)",
        [(round_id, each, way, actor, at) for each in experts],
    )


async def reminded(reader: Reader, round_id: str) -> dict[str, tuple[datetime, int]]:
    """When each expert was last reminded, and how often."""
    rows = await reader.fetch(
        "SELECT expert, max(at) AS at, count(*) AS times FROM reminders WHERE round = $1 GROUP BY expert", round_id
    )
    return {row["expert"]: (row["at"], row["times"]) for row in rows}


async def last_saved(reader: Reader, round_id: str) -> dict[str, datetime]:
    """When each expert last did something on a sheet."""
    rows = await reader.fetch(
        "SELECT expert, max(saved_at) AS at FROM sheets WHERE round = $1 GROUP BY expert", round_id
    )
    return {row["expert"]: row["at"] for row in rows}

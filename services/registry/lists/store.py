"""Lists and notices in PostgreSQL: the only SQL of lists. Versions are appended, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from services.registry.lists.changes import Change
from services.registry.lists.lists import Entry, ObjectionWindow
from services.shared.postgres import Connection, Pool


class NoticeLine(msgspec.Struct, frozen=True):
    """A notice in the list of notices."""

    round: str
    title: str
    timezone: str
    version: int
    published_at: datetime
    objections_close_at: datetime


class NoticeEntry(msgspec.Struct, frozen=True):
    """A line of a notice, with what the public knows of the candidate."""

    group: str
    place: int | None
    number: int
    candidate: str
    title: str
    unit: str
    channel: str
    level: str
    category: str
    total: str
    outcome: str


class Notice(msgspec.Struct, frozen=True):
    """A public notice: one list version, its objection window, and what became of it since.

    `touched` are the candidates whom the window concerns, None for everybody.
    """

    round: str
    version: int
    origin: str
    ranking_version: int
    rules_digest: str
    tally_digest: str
    published_at: datetime
    objections_open_at: datetime
    objections_close_at: datetime
    calendar_provisional: bool
    touched: list[str] | None
    document_number: str | None
    scan: str | None
    meeting_number: str | None
    held_on: date | None
    confirmed_at: datetime | None
    retraction: str | None
    retracted_at: datetime | None
    entries: list[NoticeEntry]


class Version(msgspec.Struct, frozen=True):
    """A list version in the list of versions, with its objection window."""

    version: int
    origin: str
    published_at: datetime
    objections_open_at: datetime
    objections_close_at: datetime
    touched: list[str] | None
    retracted_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Basis:
    """The ranking that a list rests on, as it was published."""

    round: str
    ranking_version: int
    rules_digest: str
    tally_digest: str
    ranking_csv: str


@dataclass(frozen=True, slots=True)
class NewList:
    """A list version to be written; `touched` None where the notice concerns everybody."""

    basis: Basis
    version: int
    origin: str
    published_at: datetime
    published_by: list[str]
    entries: Sequence[Entry]
    window: ObjectionWindow
    touched: list[str] | None


async def insert_list(connection: Connection, new: NewList) -> None:
    """Write a list version with its notice, and let the round point to it."""
    basis = new.basis
    await connection.execute(
        "INSERT INTO lists (round, version, ranking_version, rules_digest, tally_digest, ranking_csv, published_at,"
        " published_by, origin) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        basis.round, new.version, basis.ranking_version, basis.rules_digest, basis.tally_digest, basis.ranking_csv,
        new.published_at, new.published_by, new.origin,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO list_entries (round, version, position, ranking_group, place, candidate, total, outcome, level)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (basis.round, new.version, position, each.group, each.place, each.candidate, each.total, each.outcome,
             each.level)
            for position, each in enumerate(new.entries, start=1)
        ],
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO notices (round, list_version, objections_open_at, objections_close_at, calendar_provisional,"
        " touched) VALUES ($1, $2, $3, $4, $5, $6)",
        basis.round, new.version, new.window.opens_at, new.window.closes_at, new.window.provisional, new.touched,
    )  # fmt: skip
    await connection.execute(
        "UPDATE round_states SET list_version = $2, ranking_version = $3 WHERE round = $1",
        basis.round, new.version, basis.ranking_version,
    )  # fmt: skip


async def basis(connection: Connection | Pool, round_id: str, version: int) -> Basis | None:
    """The ranking under a list version."""
    row = await connection.fetchrow(
        "SELECT round, ranking_version, rules_digest, tally_digest, ranking_csv FROM lists"
        " WHERE round = $1 AND version = $2",
        round_id,
        version,
    )
    return None if row is None else Basis(**dict(row))


async def entries(connection: Connection | Pool, round_id: str, version: int) -> list[Entry]:
    """The lines of a list version, in its order."""
    rows = await connection.fetch(
        "SELECT ranking_group AS group, place, candidate, total, outcome, level FROM list_entries"
        " WHERE round = $1 AND version = $2 ORDER BY position",
        round_id,
        version,
    )
    return [Entry(**dict(row)) for row in rows]


async def changes(connection: Connection | Pool, round_id: str, until_version: int | None = None) -> list[Change]:
    """Confirmed changes in the order in which they took effect; those that count for `until_version`, or all."""
    rows = await connection.fetch(
        "SELECT kind, candidate, reason, text, level FROM list_changes"
        " WHERE round = $1 AND ($2::int IS NULL OR since_version <= $2) ORDER BY change",
        round_id,
        until_version,
    )
    return [msgspec.convert(dict(row), Change) for row in rows]


async def changes_of(connection: Connection | Pool, round_id: str, version: int) -> list[Change]:
    """The changes that came with a version."""
    rows = await connection.fetch(
        "SELECT kind, candidate, reason, text, level FROM list_changes"
        " WHERE round = $1 AND since_version = $2 ORDER BY change",
        round_id,
        version,
    )
    return [msgspec.convert(dict(row), Change) for row in rows]


async def insert_changes(
    connection: Connection, round_id: str, proposal: int, since_version: int, confirmed: Sequence[Change]
) -> None:
    await connection.executemany(
        "INSERT INTO list_changes (round, proposal, since_version, kind, candidate, level, reason, text)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (round_id, proposal, since_version, each.kind.value, each.candidate, each.level, each.reason.value,
             each.text.strip())
            for each in confirmed
        ],
    )  # fmt: skip


async def all_notices(pool: Pool) -> list[NoticeLine]:
    """The newest notice of each round, newest first; a rehearsal's notice has its address and stands in no list."""
    rows = await pool.fetch(
        "SELECT DISTINCT ON (l.round) l.round, r.title, r.timezone, l.version, l.published_at, n.objections_close_at"
        " FROM lists l JOIN rounds r USING (round) JOIN notices n ON n.round = l.round AND n.list_version = l.version"
        " WHERE NOT r.rehearsal ORDER BY l.round, l.version DESC"
    )
    lines = [NoticeLine(**dict(row)) for row in rows]
    return sorted(lines, key=lambda line: line.published_at, reverse=True)


async def versions(connection: Connection | Pool, round_id: str) -> list[Version]:
    """Every list of a round, newest first."""
    rows = await connection.fetch(
        "SELECT l.version, l.origin, l.published_at, n.objections_open_at, n.objections_close_at, n.touched,"
        " x.retracted_at, c.confirmed_at"
        " FROM lists l JOIN notices n ON n.round = l.round AND n.list_version = l.version"
        " LEFT JOIN list_retractions x ON x.round = l.round AND x.version = l.version"
        " LEFT JOIN list_confirmations c ON c.round = l.round AND c.version = l.version"
        " WHERE l.round = $1 ORDER BY l.version DESC",
        round_id,
    )
    return [Version(**dict(row)) for row in rows]


async def notice(pool: Pool, round_id: str, version: int | None) -> Notice | None:
    """A version of a round's notice, or its newest (None); None where there is none."""
    row = await pool.fetchrow(
        "SELECT l.round, l.version, l.origin, l.ranking_version, l.rules_digest, l.tally_digest, l.published_at,"
        " n.objections_open_at, n.objections_close_at, n.calendar_provisional, n.touched, d.document_number,"
        " (SELECT s.attachment FROM list_scans s WHERE s.round = l.round AND s.version = l.version"
        "  ORDER BY s.scan DESC LIMIT 1) AS scan,"
        " c.meeting_number, c.held_on, c.confirmed_at, x.text AS retraction, x.retracted_at"
        " FROM lists l JOIN notices n ON n.round = l.round AND n.list_version = l.version"
        " LEFT JOIN list_documents d ON d.round = l.round AND d.version = l.version"
        " LEFT JOIN list_confirmations c ON c.round = l.round AND c.version = l.version"
        " LEFT JOIN list_retractions x ON x.round = l.round AND x.version = l.version"
        " WHERE l.round = $1 AND ($2::int IS NULL OR l.version = $2) ORDER BY l.version DESC LIMIT 1",
        round_id,
        version,
    )
    if row is None:
        return None
    lines = await pool.fetch(
        "SELECT e.ranking_group AS group, e.place, c.number, e.candidate, c.title, c.unit,"
        " coalesce(h.name, c.channel) AS channel, coalesce(nullif(e.level, ''), c.level) AS level, c.category, e.total,"
        " e.outcome"
        " FROM list_entries e JOIN candidates c USING (round, candidate)"
        " LEFT JOIN round_channels h ON h.round = c.round AND h.channel = c.channel"
        " WHERE e.round = $1 AND e.version = $2 ORDER BY e.position",
        round_id,
        row["version"],
    )
    return Notice(**dict(row), entries=[NoticeEntry(**dict(each)) for each in lines])

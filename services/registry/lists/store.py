"""Lists and notices in PostgreSQL: the only SQL of this subject. Versions are appended, never changed."""

from datetime import datetime

import msgspec

from services.registry.lists.lists import Entry, ObjectionWindow
from services.shared.messages import RankingMessage
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
    """A public notice: one list version and its objection window."""

    round: str
    version: int
    ranking_version: int
    rules_digest: str
    tally_digest: str
    published_at: datetime
    objections_open_at: datetime
    objections_close_at: datetime
    calendar_provisional: bool
    entries: list[NoticeEntry]


async def insert_list(
    connection: Connection, version: int, message: RankingMessage, entries: list[Entry], window: ObjectionWindow
) -> None:
    """Write a list version with its notice, and let the round point to it."""
    await connection.execute(
        "INSERT INTO lists (round, version, ranking_version, rules_digest, tally_digest, ranking_csv, published_at,"
        " published_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        message.round, version, message.version, message.rules_digest, message.tally_digest, message.ranking_csv,
        message.published_at, message.published_by,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO list_entries (round, version, position, ranking_group, place, candidate, total, outcome)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (message.round, version, position, each.group, each.place, each.candidate, each.total, each.outcome)
            for position, each in enumerate(entries, start=1)
        ],
    )
    await connection.execute(
        "INSERT INTO notices (round, list_version, objections_open_at, objections_close_at, calendar_provisional)"
        " VALUES ($1, $2, $3, $4, $5)",
        message.round, version, window.opens_at, window.closes_at, window.provisional,
    )  # fmt: skip
    await connection.execute(
        "UPDATE round_states SET list_version = $2, ranking_version = $3 WHERE round = $1",
        message.round, version, message.version,
    )  # fmt: skip


async def all_notices(pool: Pool) -> list[NoticeLine]:
    """The newest notice of each round, newest first."""
    rows = await pool.fetch(
        "SELECT DISTINCT ON (l.round) l.round, r.title, r.timezone, l.version, l.published_at, n.objections_close_at"
        " FROM lists l JOIN rounds r USING (round) JOIN notices n ON n.round = l.round AND n.list_version = l.version"
        " ORDER BY l.round, l.version DESC"
    )
    lines = [NoticeLine(**dict(row)) for row in rows]
    return sorted(lines, key=lambda line: line.published_at, reverse=True)


async def versions(pool: Pool, round_id: str) -> list[tuple[int, datetime]]:
    """(version, published) of every list of a round, newest first."""
    rows = await pool.fetch("SELECT version, published_at FROM lists WHERE round = $1 ORDER BY version DESC", round_id)
    return [(row["version"], row["published_at"]) for row in rows]


async def notice(pool: Pool, round_id: str, version: int | None) -> Notice | None:
    """A version of a round's notice, or its newest (None); None where there is none."""
    row = await pool.fetchrow(
        "SELECT l.round, l.version, l.ranking_version, l.rules_digest, l.tally_digest, l.published_at,"
        " n.objections_open_at, n.objections_close_at, n.calendar_provisional"
        " FROM lists l JOIN notices n ON n.round = l.round AND n.list_version = l.version"
        " WHERE l.round = $1 AND ($2::int IS NULL OR l.version = $2) ORDER BY l.version DESC LIMIT 1",
        round_id,
        version,
    )
    if row is None:
        return None
    entries = await pool.fetch(
        "SELECT e.ranking_group AS group, e.place, c.number, e.candidate, c.title, c.unit,"
        " coalesce(h.name, c.channel) AS channel, c.level, c.category, e.total, e.outcome"
        " FROM list_entries e JOIN candidates c USING (round, candidate)"
        " LEFT JOIN round_channels h ON h.round = c.round AND h.channel = c.channel"
        " WHERE e.round = $1 AND e.version = $2 ORDER BY e.position",
        round_id,
        row["version"],
    )
    return Notice(**dict(row), entries=[NoticeEntry(**dict(each)) for each in entries])

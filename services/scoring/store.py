"""The scoring service's SQL: read models, sheets with their versions, rankings and publications.

Sheets are changed under a shared lock of their round and rankings made under the exclusive one, so that no mark
moves between the look at the sheets and the act that rests on it. Called by the domain modules only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from services.scoring.records import Ranking, Sheet, SheetAct, SheetState, SheetStatus
from services.shared.messages import RoundMessage, encode
from services.shared.postgres import Connection, Pool
from services.shared.ranking.rules import parse_rules

# A connection inside a transaction, or the pool for a single statement.
Reader = Connection | Pool
_ROUND_LOCKS = 0x7078

_SHEET = "round, candidate, expert, version, state, marks, comments, comment, may_finish, saved_at, submitted_at"
_RANKING = (
    "r.round, r.version, r.rules_digest, r.tally_version, r.tally_digest, r.sheets_digest, r.inputs_digest, r.digest,"
    " r.software, r.proposed_by, r.created_at, p.confirmed_by, p.published_at"
)
_FROM_RANKINGS = "FROM rankings AS r LEFT JOIN publications AS p USING (round, version)"


async def hold_round(connection: Connection, round_id: str) -> None:
    """Keep every sheet of the round as it is until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _ROUND_LOCKS, round_id)


async def share_round(connection: Connection, round_id: str) -> None:
    """Change sheets of the round beside others, but not beside `hold_round`."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1, hashtext($2))", _ROUND_LOCKS, round_id)


async def put_round(connection: Connection, message: RoundMessage) -> None:
    """Keep the newest message of a round."""
    criteria = [criterion.id for criterion in parse_rules(message.rules.encode()).criteria]
    await connection.execute(
        "INSERT INTO rounds (round, version, digest, criteria, experts, message) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (round) DO UPDATE SET version = excluded.version, digest = excluded.digest,"
        " criteria = excluded.criteria, experts = excluded.experts, message = excluded.message"
        " WHERE rounds.version <= excluded.version",
        message.round, message.version, message.digest, criteria, message.experts, encode(message),
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO candidates (round, candidate) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(message.round, card.candidate) for card in message.candidates],
    )


RoundState = tuple[object, ...]


async def round_state(reader: Reader, round_id: str) -> RoundState | None:
    """What changes whenever a round's message, seats or known conflicts do; None for an unknown round."""
    row = await reader.fetchrow(
        "SELECT version, digest, (SELECT count(*) FROM seats AS s WHERE s.round = r.round) AS seats,"
        " (SELECT count(*) FROM conflict_lifts AS l WHERE l.round = r.round) AS lifts,"
        " (SELECT sum(p.version) FROM pool_experts AS p WHERE p.round = r.round) AS pool,"
        " (SELECT sum(a.version) FROM staff AS a WHERE 'expert' = ANY(a.roles)) AS staff"
        " FROM rounds AS r WHERE round = $1",
        round_id,
    )
    return None if row is None else tuple(row)


async def round_message(reader: Reader, round_id: str) -> bytes | None:
    message: bytes | None = await reader.fetchval("SELECT message FROM rounds WHERE round = $1", round_id)
    return message


async def round_ids(reader: Reader) -> list[str]:
    """Every round, the newest first by its name."""
    return [row["round"] for row in await reader.fetch("SELECT round FROM rounds ORDER BY round DESC")]


async def names_of(reader: Reader, usernames: list[str]) -> dict[str, str]:
    """Display names by user name, of accounts known here."""
    rows = await reader.fetch("SELECT username, name FROM staff WHERE username = ANY($1::text[])", usernames)
    return {row["username"]: row["name"] for row in rows}


def _sheet(row: asyncpg.Record) -> Sheet:
    return Sheet(**{**dict(row), "state": SheetState(row["state"])})


async def sheet(reader: Reader, round_id: str, candidate: str, expert: str) -> Sheet | None:
    row = await reader.fetchrow(
        f"SELECT {_SHEET} FROM sheets WHERE round = $1 AND candidate = $2 AND expert = $3",  # noqa: S608
        round_id, candidate, expert,
    )  # fmt: skip
    return None if row is None else _sheet(row)


async def lock_sheet(connection: Connection, round_id: str, candidate: str, expert: str) -> Sheet | None:
    """The sheet, which nobody else can change until the transaction ends; None when it was never saved."""
    # The first save of a sheet has no row to lock, therefore the lock stands on its name.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "\n".join(("sheet", round_id, candidate, expert))
    )
    return await sheet(connection, round_id, candidate, expert)


async def sheets_of_expert(reader: Reader, round_id: str, expert: str) -> dict[str, Sheet]:
    """An expert's own sheets by candidate."""
    rows = await reader.fetch(
        f"SELECT {_SHEET} FROM sheets WHERE round = $1 AND expert = $2",  # noqa: S608
        round_id, expert,
    )  # fmt: skip
    return {row["candidate"]: _sheet(row) for row in rows}


async def sheet_versions(
    reader: Reader, round_id: str, candidate: str, expert: str, after: int, limit: int
) -> list[dict[str, Any]]:
    """Versions of one sheet after a version, in order: what it said, which act made it, when and why."""
    rows = await reader.fetch(
        "SELECT version, act, state, marks, comments, comment, reason, at FROM sheet_versions"
        " WHERE round = $1 AND candidate = $2 AND expert = $3 AND version > $4 ORDER BY version LIMIT $5",
        round_id, candidate, expert, after, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def submitted_sheets(reader: Reader, round_id: str) -> list[Sheet]:
    """Every submitted sheet of a round, ordered by candidate and expert."""
    rows = await reader.fetch(
        f"SELECT {_SHEET} FROM sheets WHERE round = $1 AND state = 'submitted'"  # noqa: S608
        ' ORDER BY candidate COLLATE "C", expert COLLATE "C"',
        round_id,
    )
    return [_sheet(row) for row in rows]


async def sheet_statuses(reader: Reader, round_id: str) -> list[SheetStatus]:
    """Every begun sheet of a round without its marks."""
    rows = await reader.fetch(
        "SELECT candidate, expert, state FROM sheets WHERE round = $1 ORDER BY expert, candidate", round_id
    )
    return [SheetStatus(row["candidate"], row["expert"], SheetState(row["state"])) for row in rows]


async def put_sheet(connection: Connection, new: Sheet, act: SheetAct, actor: str, reason: str = "") -> None:
    """Store a sheet's next version as its current state and in the trace."""
    values = (new.round, new.candidate, new.expert, new.version, new.state.value, new.marks, new.comments, new.comment)
    await connection.execute(
        "INSERT INTO sheets (round, candidate, expert, version, state, marks, comments, comment, may_finish, saved_at,"
        " submitted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " ON CONFLICT (round, candidate, expert) DO UPDATE SET version = excluded.version, state = excluded.state,"
        " marks = excluded.marks, comments = excluded.comments, comment = excluded.comment,"
        " may_finish = excluded.may_finish, saved_at = excluded.saved_at, submitted_at = excluded.submitted_at",
        *values, new.may_finish, new.saved_at, new.submitted_at,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO sheet_versions (round, candidate, expert, version, state, marks, comments, comment, act, actor,"
        " reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        *values, act.value, actor, reason, new.saved_at,
    )  # fmt: skip


async def count_open_rounds_sheets(reader: Reader) -> dict[str, int]:
    """Sheets by state, of rounds without a publication."""
    rows = await reader.fetch(
        "SELECT state, count(*) AS sheets FROM sheets AS s"
        " WHERE NOT EXISTS (SELECT FROM publications AS p WHERE p.round = s.round) GROUP BY state"
    )
    return {row["state"]: row["sheets"] for row in rows}


def _ranking(row: asyncpg.Record) -> Ranking:
    return Ranking(**{**dict(row), "confirmed_by": row["confirmed_by"] or ""})


async def rankings(reader: Reader, round_id: str) -> list[Ranking]:
    """Every ranking of a round without its body, the oldest first."""
    rows = await reader.fetch(
        f"SELECT {_RANKING} {_FROM_RANKINGS} WHERE r.round = $1 ORDER BY r.version",
        round_id,
    )
    return [_ranking(row) for row in rows]


async def ranking(reader: Reader, round_id: str, version: int) -> Ranking | None:
    row = await reader.fetchrow(
        f"SELECT {_RANKING}, r.body {_FROM_RANKINGS} WHERE r.round = $1 AND r.version = $2",
        round_id, version,
    )  # fmt: skip
    return None if row is None else _ranking(row)


async def published_versions(reader: Reader) -> dict[str, int]:
    """The newest published version of every round that has one."""
    rows = await reader.fetch("SELECT round, max(version) AS version FROM publications GROUP BY round")
    return {row["round"]: row["version"] for row in rows}


async def is_published(reader: Reader, round_id: str) -> bool:
    return bool(await reader.fetchval("SELECT EXISTS (SELECT FROM publications WHERE round = $1)", round_id))


async def put_ranking(connection: Connection, new: Ranking, files: Mapping[str, bytes]) -> None:
    """Store a ranking and the files of its bundle, for ever."""
    await connection.execute(
        "INSERT INTO rankings (round, version, rules_digest, tally_version, tally_digest, sheets_digest, inputs_digest,"
        " digest, software, body, proposed_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.round, new.version, new.rules_digest, new.tally_version, new.tally_digest, new.sheets_digest,
        new.inputs_digest, new.digest, new.software, new.body, new.proposed_by, new.created_at,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO ranking_files (round, version, name, body) VALUES ($1, $2, $3, $4)",
        [(new.round, new.version, name, body) for name, body in files.items()],
    )


async def ranking_files(reader: Reader, round_id: str, version: int) -> dict[str, bytes]:
    rows = await reader.fetch(
        "SELECT name, body FROM ranking_files WHERE round = $1 AND version = $2 ORDER BY name", round_id, version
    )
    return {row["name"]: row["body"] for row in rows}


async def ranking_file(reader: Reader, round_id: str, version: int, name: str, bytes_max: int) -> bytes | None:
    """One file of a ranking; None where there is none, or where it is larger than a page can take."""
    body: bytes | None = await reader.fetchval(
        "SELECT body FROM ranking_files WHERE round = $1 AND version = $2 AND name = $3 AND octet_length(body) <= $4",
        round_id, version, name, bytes_max,
    )  # fmt: skip
    return body


async def put_publication(connection: Connection, published: Ranking) -> None:
    await connection.execute(
        "INSERT INTO publications (round, version, proposed_by, confirmed_by, published_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        published.round, published.version, published.proposed_by, published.confirmed_by, published.published_at,
    )  # fmt: skip


async def has_role(reader: Reader, username: str, role: str) -> bool:
    """Whether an account stands and has a role."""
    return bool(
        await reader.fetchval(
            "SELECT EXISTS (SELECT FROM staff WHERE username = $1 AND $2 = ANY(roles) AND NOT disabled)", username, role
        )
    )


async def put_recomputation(
    connection: Connection, round_id: str, version: int, based_on: int, cause: str, reason: str
) -> None:
    await connection.execute(
        "INSERT INTO recomputations (round, version, based_on, cause, reason) VALUES ($1, $2, $3, $4, $5)",
        round_id, version, based_on, cause, reason,
    )  # fmt: skip


async def recomputations(reader: Reader, round_id: str) -> dict[int, dict[str, Any]]:
    """Why versions were computed again, by version."""
    rows = await reader.fetch(
        "SELECT version, based_on, cause, reason FROM recomputations WHERE round = $1 ORDER BY version", round_id
    )
    return {row["version"]: dict(row) for row in rows}

"""Calls in PostgreSQL: with `recommendation_store.py` the only SQL of this subject.

Writers hold the call's row (`load(…, lock=True)`); every change raises its version.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.registry.calls.drafts import RULES, CallDraft
from services.registry.rounds.companions import Channel
from services.shared.postgres import Connection, Pool

_COLUMNS = (
    "call, title, state, rules, timezone, application_opens_at, application_closes_at, recommendation_opens_at,"
    " recommendation_closes_at, review_working_days, appeal_working_days, quotas, rehearsal, number_commitment,"
    " version, created_by, created_at, announced_at"
)
_FACTS = (
    "title", "rules", "timezone", "application_opens_at", "application_closes_at", "recommendation_opens_at",
    "recommendation_closes_at", "review_working_days", "appeal_working_days", "quotas",
)  # fmt: skip


class Call(msgspec.Struct, frozen=True):
    """A call as it stands; times and quotas are copies of what `rules` says."""

    call: str
    title: str
    state: str
    rules: str
    timezone: str
    application_opens_at: datetime | None
    application_closes_at: datetime | None
    recommendation_opens_at: datetime | None
    recommendation_closes_at: datetime | None
    review_working_days: int
    appeal_working_days: int
    quotas: dict[str, int]
    rehearsal: bool
    number_commitment: str
    version: int
    created_by: str
    created_at: datetime
    announced_at: datetime | None


class Change(msgspec.Struct, frozen=True):
    """A proposed change of an announced call; `version` is the call's that its author saw."""

    change: str
    call: str
    version: int
    name: str
    content: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None


async def load(connection: Connection | Pool, call: str, *, lock: bool = False) -> Call | None:
    """A call; with `lock` its row is held to the end of the transaction."""
    if "\0" in call:  # PostgreSQL's texts cannot hold it
        return None
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM calls WHERE call = $1" + (" FOR UPDATE" if lock else ""),  # noqa: S608
        call,
    )
    return Call(**dict(row)) if row else None


async def page(pool: Pool, after: str, limit: int, *, drafts: bool) -> list[Call]:
    """Calls in the order of their ids; those that were never announced only with `drafts`."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM calls WHERE call > $1 AND ($2 OR announced_at IS NOT NULL)"  # noqa: S608
        " ORDER BY call LIMIT $3",
        after, drafts, limit,
    )  # fmt: skip
    return [Call(**dict(row)) for row in rows]


async def taking_applications(pool: Pool, now: datetime) -> list[Call]:
    """Announced calls whose application window has not closed, the next to close first."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM calls WHERE state = 'announced' AND application_closes_at > $1"  # noqa: S608
        " ORDER BY application_closes_at, call",
        now,
    )
    return [Call(**dict(row)) for row in rows]


async def files(connection: Connection | Pool, call: Call) -> dict[str, str]:
    """Every file of a call by name, the secret one included."""
    rows = await connection.fetch("SELECT name, content FROM call_files WHERE call = $1 ORDER BY name", call.call)
    return {RULES: call.rules, **{row["name"]: row["content"] for row in rows}}


async def insert(connection: Connection, draft: CallDraft, rehearsal: bool, actor: str, now: datetime) -> bool:
    """Store a new draft; False where the id is taken by a call or a round."""
    facts = draft.columns()
    made = await connection.fetchval(
        "INSERT INTO calls (call, title, rules, timezone, application_opens_at, application_closes_at,"
        " recommendation_opens_at, recommendation_closes_at, review_working_days, appeal_working_days, quotas,"
        " rehearsal, created_by, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14"
        " WHERE NOT EXISTS (SELECT 1 FROM rounds WHERE round = $1) ON CONFLICT DO NOTHING RETURNING call",
        draft.rules.round.id, *(facts[name] for name in _FACTS), rehearsal, actor, now,
    )  # fmt: skip
    if made is None:
        return False
    for name, text in draft.files.items():
        if name != RULES:
            await write_companion(connection, draft.rules.round.id, name, text)
    return True


async def write_companion(connection: Connection, call: str, name: str, content: str) -> None:
    """Put a smaller file in its place; an empty text takes it out."""
    if not content:
        await connection.execute("DELETE FROM call_files WHERE call = $1 AND name = $2", call, name)
        return
    await connection.execute(
        "INSERT INTO call_files (call, name, content) VALUES ($1, $2, $3)"
        " ON CONFLICT (call, name) DO UPDATE SET content = excluded.content",
        call, name, content,
    )  # fmt: skip


async def write_draft(connection: Connection, draft: CallDraft, name: str) -> int:
    """Store one file of a held call with the facts that follow from it; the call's new version."""
    call, facts = draft.rules.round.id, draft.columns()
    if name != RULES:
        await write_companion(connection, call, name, draft.files.get(name, ""))
    version: int = await connection.fetchval(
        "UPDATE calls SET title = $2, rules = $3, timezone = $4, application_opens_at = $5,"
        " application_closes_at = $6, recommendation_opens_at = $7, recommendation_closes_at = $8,"
        " review_working_days = $9, appeal_working_days = $10, quotas = $11, version = version + 1"
        " WHERE call = $1 RETURNING version",
        call, *(facts[each] for each in _FACTS),
    )  # fmt: skip
    return version


async def channels(connection: Connection | Pool) -> dict[str, Channel]:
    """The channels as they stand from round to round."""
    rows = await connection.fetch("SELECT channel, name, kind FROM channels")
    return {row["channel"]: Channel(row["channel"], row["name"], row["kind"]) for row in rows}


async def add_channels(connection: Connection, wanted: list[Channel], now: datetime) -> list[str]:
    """Make the channels that do not exist yet; their ids."""
    rows = await connection.fetch(
        "INSERT INTO channels (channel, name, kind, created_at) SELECT *, $4 FROM unnest($1::text[], $2::text[],"
        " $3::text[]) ON CONFLICT DO NOTHING RETURNING channel",
        [each.channel for each in wanted], [each.name for each in wanted], [each.kind for each in wanted], now,
    )  # fmt: skip
    return sorted(row["channel"] for row in rows)


async def announce(connection: Connection, call: str, seed: str, commitment: str, now: datetime) -> int:
    """Announce a held draft under its commitment; the new version."""
    await connection.execute("INSERT INTO call_secrets (call, number_seed) VALUES ($1, $2)", call, seed)
    version: int = await connection.fetchval(
        "UPDATE calls SET state = 'announced', announced_at = $2, number_commitment = $3, version = version + 1"
        " WHERE call = $1 RETURNING version",
        call, now, commitment,
    )  # fmt: skip
    return version


async def set_state(connection: Connection, call: str, state: str) -> int:
    version: int = await connection.fetchval(
        "UPDATE calls SET state = $2, version = version + 1 WHERE call = $1 RETURNING version", call, state
    )
    return version


async def keep_version(
    connection: Connection, call: str, version: int, digest: str, public_files: Mapping[str, str], reason: str,
    signed_by: list[str], now: datetime,
) -> None:  # fmt: skip
    """Append what a call says from now on, for those who relied on what it said before."""
    await connection.execute(
        "INSERT INTO call_versions (call, version, digest, files, reason, signed_by, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        call, version, digest, dict(public_files), reason, signed_by, now,
    )  # fmt: skip


async def versions(connection: Connection | Pool, call: str) -> list[dict[str, Any]]:
    """Every announced version, newest first, without the files."""
    rows = await connection.fetch(
        "SELECT version, digest, reason, at FROM call_versions WHERE call = $1 ORDER BY version DESC", call
    )
    return [dict(row) for row in rows]


async def version_files(pool: Pool, call: str, version: int) -> dict[str, str] | None:
    found: dict[str, str] | None = await pool.fetchval(
        "SELECT files FROM call_versions WHERE call = $1 AND version = $2", call, version
    )
    return found


async def applied_channels(connection: Connection | Pool, call: str) -> set[str]:
    """Channels through which somebody applied, or began to."""
    rows = await connection.fetch("SELECT DISTINCT channel FROM applications WHERE call = $1", call)
    return {row["channel"] for row in rows}


async def add_change(connection: Connection, change: Change) -> None:
    await connection.execute(
        "INSERT INTO call_changes (change, call, version, name, content, reason, proposed_by, proposed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        change.change, change.call, change.version, change.name, change.content, change.reason, change.proposed_by,
        change.proposed_at,
    )  # fmt: skip


async def changes(connection: Connection | Pool, call: str) -> list[Change]:
    """Every proposed change, newest first."""
    rows = await connection.fetch(
        "SELECT change, call, version, name, content, reason, proposed_by, proposed_at, confirmed_by, confirmed_at"
        " FROM call_changes WHERE call = $1 ORDER BY proposed_at DESC, change LIMIT 200",
        call,
    )
    return [Change(**dict(row)) for row in rows]


async def confirm_change(connection: Connection, change: str, actor: str, now: datetime) -> None:
    await connection.execute(
        "UPDATE call_changes SET confirmed_by = $2, confirmed_at = $3 WHERE change = $1", change, actor, now
    )


async def seed(connection: Connection, call: str) -> str:
    """The seed behind the commitment; it leaves this table only at freezing."""
    found: str = await connection.fetchval("SELECT number_seed FROM call_secrets WHERE call = $1", call)
    return found


async def applications_at(connection: Connection, call: str, stage: str) -> list[str]:
    """Applications of a call at a stage, in the order of their ids, their rows held."""
    rows = await connection.fetch(
        "SELECT application FROM applications WHERE call = $1 AND stage = $2 ORDER BY application FOR UPDATE",
        call, str(stage),
    )  # fmt: skip
    return [row["application"] for row in rows]

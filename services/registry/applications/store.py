"""Applications, their versions and files in PostgreSQL: with `consent_store.py` the only SQL of this subject.

Writers hold the application's row (`load(…, lock=True)`) and raise its version; versions that were handed in are
appended and never change.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.registry.applications.records import Application, ApplicationFile, Version
from services.registry.applications.stages import Stage
from services.shared.postgres import Connection, Pool

_APPLICATION = (
    "SELECT a.application, a.call, c.title AS call_title, c.state AS call_state, c.timezone, c.application_opens_at,"
    " c.application_closes_at, a.unit, u.name AS unit_name, u.kind AS unit_kind, u.credit_code AS unit_credit_code,"
    " a.channel, h.name AS channel_name, h.kind AS channel_kind, a.title, a.level, a.category, a.stage, a.version,"
    " a.on_behalf, a.created_by, a.created_at, a.changed_at, a.submitted_at, a.content"
    " FROM applications a JOIN calls c USING (call) JOIN units u USING (unit)"
    " JOIN channels h ON h.channel = a.channel WHERE a.application = $1"
)


class Call(msgspec.Struct, frozen=True):
    """What applications need to know of a call."""

    call: str
    title: str
    state: str
    application_opens_at: datetime | None
    application_closes_at: datetime | None


class ApplyingUnit(msgspec.Struct, frozen=True):
    unit: str
    name: str
    kind: str
    credit_code: str
    channel: str
    state: str


async def load_call(connection: Connection | Pool, call: str) -> Call | None:
    if "\0" in call:  # PostgreSQL's texts cannot hold it
        return None
    row = await connection.fetchrow(
        "SELECT call, title, state, application_opens_at, application_closes_at FROM calls WHERE call = $1", call
    )
    return Call(**dict(row)) if row else None


async def hold_call(connection: Connection, call: str) -> None:
    """Serialise what must not happen twice in a call, within the caller's transaction."""
    await connection.execute("SELECT 1 FROM calls WHERE call = $1 FOR UPDATE", call)


async def load_units(connection: Connection | Pool, key: str, values: list[str]) -> dict[str, ApplyingUnit]:
    """Units by `unit` or `credit_code`, keyed by it."""
    column = {"unit": "unit", "credit_code": "credit_code"}[key]
    rows = await connection.fetch(
        f"SELECT unit, name, kind, credit_code, channel, state FROM units WHERE {column} = ANY($1)",  # noqa: S608
        [value for value in values if "\0" not in value],
    )
    return {row[column]: ApplyingUnit(**dict(row)) for row in rows}


async def load(connection: Connection | Pool, application: str, *, lock: bool = False) -> Application | None:
    """An application; with `lock` its row is held to the end of the transaction."""
    if "\0" in application:
        return None
    row = await connection.fetchrow(_APPLICATION + (" FOR UPDATE OF a" if lock else ""), application)
    if row is None:
        return None
    return Application(**{**dict(row), "stage": Stage(row["stage"])})


async def insert(
    connection: Connection, application: str, call: str, unit: ApplyingUnit, content: Mapping[str, Any],
    *, on_behalf: bool, actor: str, now: datetime,
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO applications (application, call, unit, channel, title, level, category, content, on_behalf,"
        " created_by, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        application, call, unit.unit, unit.channel, content["title"], content["level"], content["category"],
        dict(content), on_behalf, actor, now,
    )  # fmt: skip


async def write_content(connection: Connection, application: str, content: Mapping[str, Any], now: datetime) -> int:
    """Store the form of a held application; its new version."""
    version: int = await connection.fetchval(
        "UPDATE applications SET title = $2, level = $3, category = $4, content = $5, version = version + 1,"
        " changed_at = $6 WHERE application = $1 RETURNING version",
        application, content["title"], content["level"], content["category"], dict(content), now,
    )  # fmt: skip
    return version


async def write_submission(connection: Connection, version: Version, text: str, now: datetime) -> None:
    """Append what was handed in, and note when on the held application."""
    await connection.execute(
        "INSERT INTO application_versions (application, number, content, sha256, version_code, submitted_at,"
        " submitted_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        version.application, version.number, text, bytes.fromhex(version.sha256), version.version_code, now,
        version.submitted_by,
    )  # fmt: skip
    await connection.execute(
        "UPDATE applications SET submitted_at = $2 WHERE application = $1", version.application, now
    )


async def touch(connection: Connection, application: str, now: datetime) -> int:
    """Raise the version of a held application whose files changed."""
    version: int = await connection.fetchval(
        "UPDATE applications SET version = version + 1, changed_at = $2 WHERE application = $1 RETURNING version",
        application, now,
    )  # fmt: skip
    return version


async def version_lines(connection: Connection | Pool, application: str) -> list[dict[str, Any]]:
    """Everything that was handed in, oldest first, without its content."""
    rows = await connection.fetch(
        "SELECT number, encode(sha256, 'hex') AS sha256, version_code, submitted_at, submitted_by"
        " FROM application_versions WHERE application = $1 ORDER BY number",
        application,
    )
    return [dict(row) for row in rows]


async def newest_version(connection: Connection | Pool, application: str) -> Version | None:
    """What was handed in last; None where nothing was."""
    row = await connection.fetchrow(
        "SELECT application, number, encode(sha256, 'hex') AS sha256, version_code, submitted_at, submitted_by, content"
        " FROM application_versions WHERE application = $1 ORDER BY number DESC LIMIT 1",
        application,
    )
    return _version(row) if row else None


async def newest_versions(connection: Connection | Pool, application: str, limit: int) -> list[Version]:
    """The versions that were handed in last, the newest first."""
    rows = await connection.fetch(
        "SELECT application, number, encode(sha256, 'hex') AS sha256, version_code, submitted_at, submitted_by, content"
        " FROM application_versions WHERE application = $1 ORDER BY number DESC LIMIT $2",
        application,
        limit,
    )
    return [_version(row) for row in rows]


def _version(row: Any) -> Version:
    return Version(**{**dict(row), "content": json.loads(row["content"])})


async def add_reopening(connection: Connection, application: str, at: datetime, actor: str, reason: str) -> None:
    await connection.execute(
        "INSERT INTO application_reopenings (application, at, asked_by, reason) VALUES ($1, $2, $3, $4)",
        application, at, actor, reason,
    )  # fmt: skip


async def reopenings(connection: Connection | Pool, application: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        "SELECT at, asked_by, reason FROM application_reopenings WHERE application = $1 ORDER BY id", application
    )
    return [dict(row) for row in rows]


async def add_file(
    connection: Connection, attachment: str, application: str, credit_code: str, version_code: str
) -> None:
    await connection.execute(
        "INSERT INTO application_files (attachment, application, credit_code, version_code) VALUES ($1, $2, $3, $4)",
        attachment, application, credit_code, version_code,
    )  # fmt: skip


async def files(connection: Connection | Pool, application: str) -> list[ApplicationFile]:
    """The files that stand, oldest first."""
    rows = await connection.fetch(
        "SELECT t.attachment, t.purpose, t.file_name, t.media_type, t.bytes, encode(t.sha256, 'hex') AS sha256,"
        " t.uploaded_by, t.uploaded_at, f.credit_code, f.version_code"
        " FROM application_files f JOIN attachments t USING (attachment)"
        " WHERE f.application = $1 AND f.removed_at IS NULL ORDER BY t.uploaded_at, t.attachment",
        application,
    )
    return [ApplicationFile(**dict(row)) for row in rows]


async def count_files(connection: Connection, application: str) -> int:
    """Files ever attached, those taken out included."""
    count: int = await connection.fetchval("SELECT count(*) FROM application_files WHERE application = $1", application)
    return count


async def count_of_unit(connection: Connection | Pool, call: str, unit: str) -> int:
    """Applications that a unit ever began in a call."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM applications WHERE call = $1 AND unit = $2", call, unit
    )
    return count


async def remove_file(connection: Connection, application: str, attachment: str, actor: str, now: datetime) -> bool:
    """Take a file out; whether it was there."""
    return bool(
        await connection.fetchval(
            "UPDATE application_files SET removed_at = $3, removed_by = $4"
            " WHERE application = $1 AND attachment = $2 AND removed_at IS NULL RETURNING true",
            application, attachment, now, actor,
        )
    )  # fmt: skip


async def counts_by_stage(pool: Pool) -> dict[str, int]:
    """Applications of calls that are announced, by stage."""
    rows = await pool.fetch(
        "SELECT a.stage, count(*) AS applications FROM applications a JOIN calls c USING (call)"
        " WHERE c.state = 'announced' GROUP BY a.stage"
    )
    return {row["stage"]: row["applications"] for row in rows}

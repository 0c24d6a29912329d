"""Rows of attachments: the only SQL of this subject. Rows are appended, never changed."""

import secrets
from datetime import datetime
from typing import Any

from services.registry import metrics
from services.registry.attachments.receiving import Upload
from services.registry.attachments.records import Attachment, Purpose
from services.registry.log.record import record
from services.shared.postgres import Connection, Pool

_COLUMNS = (
    "attachment, kind, object, purpose, file_name, media_type, bytes, encode(sha256, 'hex') AS sha256,"
    " uploaded_by, uploaded_at"
)


async def attach(
    connection: Connection,
    upload: Upload,
    kind: str,
    object_id: str,
    purpose: Purpose,
    actor: str,
    now: datetime,
    round_id: str = "",
) -> Attachment:
    """Say whose a received file is, in the caller's transaction, with its entry in the log."""
    attachment = Attachment(
        secrets.token_hex(12), kind, object_id, str(purpose), upload.file_name, upload.type.media_type,
        upload.bytes, upload.sha256.hex(), actor, now,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO attachments (attachment, kind, object, purpose, file_name, media_type, bytes, sha256,"
        " uploaded_by, uploaded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        attachment.attachment, kind, object_id, attachment.purpose, upload.file_name, attachment.media_type,
        upload.bytes, upload.sha256, actor, now,
    )  # fmt: skip
    facts = {"attachment": attachment.attachment, "purpose": attachment.purpose, "sha256": attachment.sha256}
    await record(
        connection, now, actor, f"{kind}.file_attached", kind, object_id, round_id=round_id, after=facts, personal=True
    )
    metrics.attachments_bytes_total.labels(attachment.purpose).inc(upload.bytes)
    return attachment


async def of(connection: Connection | Pool, kind: str, object_id: str) -> list[Attachment]:
    """Every file of an object, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM attachments WHERE kind = $1 AND object = $2 ORDER BY uploaded_at, attachment",  # noqa: S608
        kind,
        object_id,
    )
    return [attachment_of(row) for row in rows]


async def find(connection: Connection | Pool, attachment: str) -> Attachment | None:
    """One file by its identifier."""
    if "\0" in attachment:  # PostgreSQL's texts cannot hold it
        return None
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM attachments WHERE attachment = $1", attachment)  # noqa: S608
    return attachment_of(row) if row else None


def attachment_of(row: Any) -> Attachment:
    """The struct of a row that has (at least) the columns of this table, `sha256` in hex."""
    return Attachment(**{name: row[name] for name in Attachment.__struct_fields__})

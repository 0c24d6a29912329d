"""Appending to the registry's log, in the transaction of the act itself. Called by every subject's store.

Invariant: an act and its entry commit together or not at all.
"""

from datetime import datetime
from typing import Any

from services.shared.postgres import Connection, Pool


async def record(
    connection: Connection | Pool,
    at: datetime,
    actor: str,
    action: str,
    kind: str,
    object_id: str,
    *,
    round_id: str = "",
    before: Any = None,
    after: Any = None,
    personal: bool = False,
) -> None:
    """Append one entry.

    `action` is `kind.verb` in the past tense (`application.submitted`); `kind` and `object_id` name the object as
    `attachments` does; `round_id` is the call's or round's id; `before` and `after` are JSON values without secrets;
    `personal` marks that personal data was read or changed.
    """
    await connection.execute(
        "INSERT INTO log_entries (at, actor, action, kind, object, round, before, after, personal)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        at, actor, action, kind, object_id, round_id, before, after, personal,
    )  # fmt: skip

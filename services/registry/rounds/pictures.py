"""Candidates' pictures: copied from the applications at freezing, fetched by everybody afterwards.

Only PNG, JPEG and WebP by content get here (the vault's door checks it); they are sent with their own type and nothing
else may be guessed.
"""

import msgspec

from services.registry.attachments.records import Purpose
from services.shared.postgres import Connection, Pool


class StoredPicture(msgspec.Struct, frozen=True):
    sha256: bytes
    bytes: int
    media_type: str


async def copy(connection: Connection, round_id: str, candidates: list[str]) -> None:
    """Keep the newest picture that each application still had, with its text, as the card's."""
    await connection.execute(
        "INSERT INTO candidate_pictures (round, candidate, sha256, bytes, media_type, text)"
        " SELECT DISTINCT ON (f.application) $1, f.application, t.sha256, t.bytes, t.media_type,"
        " coalesce(a.content ->> 'picture_alt', '') FROM application_files f JOIN attachments t USING (attachment)"
        " JOIN applications a USING (application) WHERE f.application = ANY($2) AND t.purpose = $3"
        " AND f.removed_at IS NULL AND t.media_type IN ('image/png', 'image/jpeg', 'image/webp')"
        " AND t.uploaded_at <= a.submitted_at"
        " ORDER BY f.application, t.uploaded_at DESC, t.attachment",
        round_id, candidates, str(Purpose.PICTURE),
    )  # fmt: skip


async def find(pool: Pool, round_id: str, candidate: str) -> StoredPicture | None:
    """A candidate's picture; None where it has none."""
    if "\0" in round_id + candidate:
        return None
    row = await pool.fetchrow(
        "SELECT sha256, bytes, media_type FROM candidate_pictures WHERE round = $1 AND candidate = $2",
        round_id, candidate,
    )  # fmt: skip
    return StoredPicture(bytes(row["sha256"]), row["bytes"], row["media_type"]) if row else None

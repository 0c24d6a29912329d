"""A losing unit's own sheet: its votes, its marks against the median, its distance to the cut.

For the applicants of the units behind a candidate, once the ranking is published, and for the office. What is foreign
is answered like what is not there. Called by `api_versions.py` and the pages.
"""

from __future__ import annotations

from typing import Any

from services.scoring import statistics, store
from services.scoring.desk import Desk
from services.scoring.panels.conflicts import is_behind
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.staff import Role, Staff

Json = dict[str, Any]
READERS = (Role.APPLICANT, Role.ADMINISTRATOR, Role.AUDITOR)
_OFFICE = (Role.ADMINISTRATOR, Role.AUDITOR)


async def own_rows(desk: Desk, reader: Staff, round_id: str, version: int) -> tuple[Round, Ranking, list[Json]]:
    """Rows of the candidates whose sheet the reader may see, in the order of the ranking; raises Refusal."""
    found = await desk.round(round_id)
    ranking = await store.ranking(desk.pool, found.id, version) if 0 < version < 10**6 else None
    if ranking is None or (ranking.published_at is None and not reader.has(*_OFFICE)):
        raise Refusal(Reason.UNKNOWN_RANKING, "Nothing is published under this version; list them and choose one.")
    return found, ranking, [row for row in ranking.body["rows"] if _may_see(reader, found, row["candidate"])]


def _may_see(reader: Staff, round_: Round, candidate: str) -> bool:
    card = round_.card(candidate)
    return reader.has(*_OFFICE) or (card is not None and is_behind(reader.unit, card))


async def own_sheet(desk: Desk, reader: Staff, round_id: str, version: int, candidate: str) -> Json:
    """The candidate's row and its sheet, which is null for one that was selected; raises Refusal."""
    found, ranking, rows = await own_rows(desk, reader, round_id, version)
    row = next((each for each in rows if each["candidate"] == candidate), None)
    if row is None:
        raise Refusal(Reason.UNKNOWN_CANDIDATE, "No candidate of your unit has this identifier; list yours.")
    document = await statistics.document_of(desk, found.rules, ranking, sees_all=True)
    sheets = document.get("own_sheets", [])
    sheet = next((each for each in sheets if each["candidate"] == candidate), None)
    return {"round": found.id, "version": ranking.version, "row": row, "sheet": sheet}

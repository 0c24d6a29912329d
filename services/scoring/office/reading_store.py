"""SQL behind the office's lists: paper sheets, conflicts that experts declared. Reads only."""

from __future__ import annotations

from typing import Any

from services.scoring.office.store import Entry, Paper, Reader


async def papers(reader: Reader, round_id: str, after: str, limit: int, expert: str = "") -> list[Paper]:
    """Paper sheets in the order of their codes; an empty expert means all of them."""
    rows = await reader.fetch(
        "SELECT code, round, candidate, expert, issued_by, issued_at FROM papers WHERE round = $1"
        ' AND code COLLATE "C" > $2 AND $3 IN (\'\', expert) ORDER BY code COLLATE "C" LIMIT $4',
        round_id, after, expert, limit,
    )  # fmt: skip
    return [Paper(**dict(row)) for row in rows]


async def entries_of(reader: Reader, codes: list[str]) -> dict[str, list[Entry]]:
    """Clerks' entries by code, the oldest first."""
    rows = await reader.fetch(
        "SELECT code, entry, clerk, marks, comments, comment, scan, at FROM paper_entries"
        " WHERE code = ANY($1::text[]) ORDER BY code, entry",
        codes,
    )
    found: dict[str, list[Entry]] = {code: [] for code in codes}
    for row in rows:
        found[row["code"]].append(Entry(**dict(row)))
    return found


async def declared(reader: Reader, round_id: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Sheets that stand taken out, by whom and why: the expert's own declaration, or the office setting it aside."""
    rows = await reader.fetch(
        "SELECT row_number() OVER (ORDER BY v.at, v.candidate, v.expert) AS number, v.candidate, v.expert, v.actor,"
        " v.reason, v.at FROM sheets AS s JOIN sheet_versions AS v USING (round, candidate, expert, version)"
        " WHERE s.round = $1 AND s.state = 'recused' ORDER BY number OFFSET $2 LIMIT $3",
        round_id, after, limit,
    )  # fmt: skip
    return [dict(row) for row in rows]

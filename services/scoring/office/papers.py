"""Score sheets on paper: given out under a code, read off by two clerks independently, counted when both agree.

Neither clerk sees the other's entry before making one; then both see what differs and whoever erred enters again. The
code is printed on the sheet, so that the signed scan can be matched. Called by `office/api.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.scoring import metrics, sheets
from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.marks import missing, read_marks
from services.scoring.office import store
from services.scoring.office.store import Entry, Paper
from services.scoring.reasons import Reason
from services.scoring.records import Sheet
from services.scoring.rounds import Round
from services.shared import crockford
from services.shared.errors import Refusal
from services.shared.postgres import Connection, transaction
from services.shared.staff import Staff

_SCAN_LENGTH_MAX = 200
_CODE_BYTES = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a paper sheet stands: entries of how many clerks, what differs (criterion → both values), does it count."""

    paper: Paper
    clerks: int
    differences: dict[str, list[str]]
    counted: bool


async def issue(desk: Desk, official: Staff, round_id: str, candidate: str, expert: str) -> Paper:
    """Give a sheet out on paper; asking again gives the same code."""
    found = await desk.round(round_id)
    card = sheets.require_card(found, candidate)
    sheets.require_untied(official, card)
    if not found.scores(expert, candidate):
        raise Refusal(Reason.NOT_ASSIGNED, "This expert does not score this candidate; check the user name.")
    new = Paper(
        crockford.written(secrets.token_bytes(_CODE_BYTES)),
        found.id,
        candidate,
        expert,
        official.username,
        desk.clock.now(),
    )
    async with transaction(desk.pool) as connection:
        issued = await store.put_paper(connection, new)
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.PAPER_ISSUED).inc()
    return issued


async def enter(desk: Desk, clerk: Staff, round_id: str, code: str, written: sheets.Written, scan: str) -> Reading:
    """One clerk's reading of a paper sheet; with the second clerk's equal one the sheet is submitted."""
    found, code = await desk.round(round_id), _code(code)
    marks = read_marks(written.marks, found.criteria)
    if lacking := missing(marks, found.criteria):
        raise Refusal(Reason.MARKS_MISSING, f"Give marks for {', '.join(lacking)}, as on the paper.", missing=lacking)
    comment = sheets.clean_text(written.comment, desk.settings.comment_length_max, "comment")
    comments = sheets.read_comments(desk, found, written.comments) or {}
    scan = sheets.clean_text(scan, _SCAN_LENGTH_MAX, "scan").strip()
    if not scan:
        raise Refusal(Reason.SCAN_MISSING, "Say where the scan of the signed sheet is kept, like its file number.")
    async with transaction(desk.pool) as connection:
        paper = await _open_paper(connection, desk, clerk, found, code)
        known = await store.entries(connection, code)
        new = Entry(code, len(known) + 1, clerk.username, marks, comments, comment, scan, desk.clock.now())
        await store.put_entry(connection, new)
        reading = read(found, paper, [*known, new])
        if reading.counted:
            await _count(connection, found, paper, [*known, new])
    metrics.scoring_office_acts_total.labels(metrics.OfficeAct.PAPER_ENTERED).inc()
    return reading


async def _open_paper(connection: Connection, desk: Desk, clerk: Staff, round_: Round, code: str) -> Paper:
    """The paper sheet, held for one clerk, while marks may still come in."""
    await scoring_store.share_round(connection, round_.id)
    await store.hold_paper(connection, code)
    paper = await store.paper(connection, round_.id, code)
    if paper is None:
        raise Refusal(Reason.UNKNOWN_PAPER, "No paper sheet of this round has this code; read it off again.")
    sheets.require_untied(clerk, sheets.require_card(round_, paper.candidate))
    if paper.expert == clerk.username:
        raise Refusal(Reason.CONFLICT_OF_INTEREST, "Your own sheet is entered by colleagues.")
    if round_.window_state(desk.clock.now()).state in ("none", "scheduled"):
        raise Refusal(Reason.WINDOW_CLOSED, "Scoring has not opened yet.")
    if await scoring_store.is_published(connection, round_.id):
        raise Refusal(Reason.ROUND_PUBLISHED, "The result is published; marks can no longer change.")
    return paper


def _code(text: str) -> str:
    """The code as it was given out, however a clerk typed it; what cannot be one stays as it is and is unknown."""
    raw = crockford.read(text, _CODE_BYTES)
    return text if raw is None else crockford.written(raw)


def read(round_: Round, paper: Paper, entries: Sequence[Entry]) -> Reading:
    """Compare the newest entries of the two clerks who entered last. Pure."""
    newest = _newest_two(entries)
    if len(newest) < 2:
        return Reading(paper, len(newest), {}, counted=False)
    first, second = newest
    told = [_told(first), _told(second)]
    names = [criterion.id for criterion in round_.criteria]
    keys = [*names, *(f"comment:{name}" for name in names), "comment"]
    differing = {key: [each.get(key, "") for each in told] for key in keys}
    differing = {key: values for key, values in differing.items() if values[0] != values[1]}
    return Reading(paper, 2, differing, counted=not differing)


def _newest_two(entries: Sequence[Entry]) -> list[Entry]:
    """The last entry, and the newest one of a different clerk, ordered by clerk."""
    by_clerk: dict[str, Entry] = {}
    for each in reversed(entries):
        by_clerk.setdefault(each.clerk, each)
    return sorted(list(by_clerk.values())[:2], key=lambda each: each.clerk)


def _told(entry: Entry) -> Mapping[str, str]:
    return {
        **entry.marks,
        **{f"comment:{name}": text for name, text in entry.comments.items()},
        "comment": entry.comment,
    }


async def _count(connection: Connection, round_: Round, paper: Paper, entries: Sequence[Entry]) -> None:
    first, second = _newest_two(entries)
    entered = Sheet(
        round_.id, paper.candidate, paper.expert, marks=first.marks, comments=first.comments, comment=first.comment
    )
    by = sheets.Signed(f"{first.clerk}, {second.clerk}", f"paper {paper.code}, scan {second.scan}", entries[-1].at)
    await sheets.enter(connection, round_, entered, by)


async def show(desk: Desk, clerk: Staff, round_id: str, code: str) -> Reading:
    """Where a paper sheet stands; a clerk who has not entered it yet sees no difference."""
    found, code = await desk.round(round_id), _code(code)
    paper = await store.paper(desk.pool, found.id, code)
    if paper is None:
        raise Refusal(Reason.UNKNOWN_PAPER, "No paper sheet of this round has this code; read it off again.")
    sheets.require_untied(clerk, sheets.require_card(found, paper.candidate))
    known = await store.entries(desk.pool, code)
    reading = read(found, paper, known)
    if all(each.clerk != clerk.username for each in known):
        return Reading(paper, reading.clerks, {}, reading.counted)
    return reading

"""Score sheets: an expert saves, submits, or declares a conflict; an administrator reopens or sets aside.

Every act is one transaction that keeps the version it makes. An expert reaches own sheets only: the expert is always
the signed-in person, never a parameter. Called by `api.py` and `pages.py`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from services.scoring import metrics, store
from services.scoring.desk import Desk
from services.scoring.marks import missing, read_marks
from services.scoring.reasons import Reason
from services.scoring.records import Sheet, SheetAct, SheetState
from services.scoring.rounds import Round
from services.shared.errors import CommonReason, Refusal
from services.shared.messages import CandidateCard
from services.shared.postgres import Connection, transaction
from services.shared.staff import Staff

REASON_LENGTH_MAX = 1000


async def open_queue(desk: Desk, round_id: str, expert: Staff) -> tuple[Round, dict[str, Sheet]]:
    """The round and the expert's own sheets by candidate; raises Refusal for whoever is not on the panel."""
    found = await _round_of_panellist(desk, round_id, expert)
    return found, await store.sheets_of_expert(desk.pool, found.id, expert.username)


async def open_sheet(desk: Desk, round_id: str, candidate: str, expert: Staff) -> tuple[Round, CandidateCard, Sheet]:
    """The expert's own sheet on a candidate; version 0 where nothing was saved yet."""
    found = await _round_of_panellist(desk, round_id, expert)
    card = require_card(found, candidate)
    sheet = await store.sheet(desk.pool, found.id, candidate, expert.username)
    return found, card, sheet or Sheet(found.id, candidate, expert.username)


async def _round_of_panellist(desk: Desk, round_id: str, expert: Staff) -> Round:
    found = await desk.round(round_id)
    if not found.is_panellist(expert.username):
        raise Refusal(Reason.NOT_ON_PANEL, "This round's panel does not name you; ask the office if it should.")
    return found


def require_card(round_: Round, candidate: str) -> CandidateCard:
    """The card of a candidate that did not withdraw; raises Refusal `unknown_candidate`."""
    card = round_.card(candidate)
    if card is None or card.withdrawn_at is not None:
        raise Refusal(Reason.UNKNOWN_CANDIDATE, "No candidate of this round has this identifier, or it withdrew.")
    return card


@asynccontextmanager
async def _changing(desk: Desk, round_: Round, candidate: str, expert: str) -> AsyncIterator[tuple[Connection, Sheet]]:
    async with transaction(desk.pool) as connection:
        await store.share_round(connection, round_.id)
        found = await store.lock_sheet(connection, round_.id, candidate, expert)
        yield connection, found or Sheet(round_.id, candidate, expert)


async def save_sheet(
    desk: Desk,
    expert: Staff,
    round_id: str,
    candidate: str,
    written: Mapping[str, object],
    comment: str,
    based_on: int | None = None,
) -> Sheet:
    """Replace marks and comment; saving what is there already makes no version.

    `based_on` is the version the writer saw: another one there now is refused as `sheet_changed`.
    """
    now = desk.clock.now()
    found = await _round_of_panellist(desk, round_id, expert)
    require_card(found, candidate)
    marks = read_marks(written, found.criteria)
    comment = clean_text(comment, desk.settings.comment_length_max, "comment")
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        await _require_editable(connection, found, sheet, now)
        if based_on is not None and based_on != sheet.version:
            detail = "The sheet was saved elsewhere meanwhile; load it again and compare."
            raise Refusal(Reason.SHEET_CHANGED, detail, version=sheet.version)
        if sheet.version and (sheet.marks, sheet.comment) == (marks, comment):
            return sheet
        saved = replace(sheet, version=sheet.version + 1, marks=marks, comment=comment, saved_at=now)
        await store.put_sheet(connection, saved, SheetAct.SAVED, expert.username)
    metrics.scoring_sheet_acts_total.labels(SheetAct.SAVED.value).inc()
    return saved


async def submit_sheet(desk: Desk, expert: Staff, round_id: str, candidate: str) -> Sheet:
    """Lock a complete sheet; submitting a submitted one again is harmless."""
    now = desk.clock.now()
    found = await _round_of_panellist(desk, round_id, expert)
    require_card(found, candidate)
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        if sheet.state is SheetState.SUBMITTED:
            return sheet
        await _require_editable(connection, found, sheet, now)
        lacking = missing(sheet.marks, found.criteria)
        if lacking:
            titles = ", ".join(each.title or each.id for each in found.criteria if each.id in lacking)
            raise Refusal(Reason.MARKS_MISSING, f"Give marks for {titles}, then submit.", missing=lacking)
        version = sheet.version + 1
        done = replace(
            sheet, version=version, state=SheetState.SUBMITTED, may_finish=False, saved_at=now, submitted_at=now
        )
        await store.put_sheet(connection, done, SheetAct.SUBMITTED, expert.username)
    metrics.scoring_sheet_acts_total.labels(SheetAct.SUBMITTED.value).inc()
    return done


async def recuse(desk: Desk, expert: Staff, round_id: str, candidate: str, reason: str) -> Sheet:
    """Declare a conflict of interest: the sheet is taken out, its marks stay in the trace only."""
    now = desk.clock.now()
    found = await _round_of_panellist(desk, round_id, expert)
    require_card(found, candidate)
    reason = require_reason(reason)
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        if sheet.state is SheetState.RECUSED:
            return sheet
        await _require_editable(connection, found, sheet, now)
        return await _take_out(connection, sheet, expert.username, reason, now)


async def set_aside(desk: Desk, administrator: Staff, round_id: str, candidate: str, expert: str, reason: str) -> Sheet:
    """Take out a sheet that its expert left open when the window closed, so that it stops blocking the result."""
    now = desk.clock.now()
    found = await desk.round(round_id)
    require_card(found, candidate)
    reason = require_reason(reason)
    async with _changing(desk, found, candidate, clean_text(expert, 200, "expert")) as (connection, sheet):
        _require_begun(sheet)
        if sheet.state is SheetState.RECUSED:
            return sheet
        if sheet.state is SheetState.SUBMITTED:
            raise Refusal(Reason.SHEET_SUBMITTED, "A submitted sheet counts; it cannot be set aside.")
        if found.window_state(now).state != "closed":
            raise Refusal(Reason.SCORING_OPEN, "The expert can still finish; wait until the scoring window closes.")
        return await _take_out(connection, sheet, administrator.username, reason, now)


async def _take_out(connection: Connection, sheet: Sheet, actor: str, reason: str, now: datetime) -> Sheet:
    out = replace(
        sheet, version=sheet.version + 1, state=SheetState.RECUSED, marks={}, comment="", may_finish=False, saved_at=now
    )
    await store.put_sheet(connection, out, SheetAct.RECUSED, actor, reason)
    metrics.scoring_sheet_acts_total.labels(SheetAct.RECUSED.value).inc()
    return out


async def reopen(desk: Desk, administrator: Staff, round_id: str, candidate: str, expert: str, reason: str) -> Sheet:
    """Unlock a sheet for its expert, who may then finish it even after the window; the trace keeps who and why."""
    now = desk.clock.now()
    found = await desk.round(round_id)
    require_card(found, candidate)
    reason = require_reason(reason)
    async with _changing(desk, found, candidate, clean_text(expert, 200, "expert")) as (connection, sheet):
        _require_begun(sheet)
        if sheet.state is SheetState.DRAFT and (sheet.may_finish or found.window_state(now).state != "closed"):
            return sheet
        again = replace(
            sheet, version=sheet.version + 1, state=SheetState.DRAFT, may_finish=True, saved_at=now, submitted_at=None
        )
        await store.put_sheet(connection, again, SheetAct.REOPENED, administrator.username, reason)
    metrics.scoring_sheet_acts_total.labels(SheetAct.REOPENED.value).inc()
    return again


def _require_begun(sheet: Sheet) -> None:
    if sheet.version == 0:
        raise Refusal(Reason.UNKNOWN_SHEET, "This expert has no sheet on this candidate; check the user name.")


async def _require_editable(connection: Connection, round_: Round, sheet: Sheet, now: datetime) -> None:
    if sheet.state is SheetState.SUBMITTED:
        raise Refusal(Reason.SHEET_SUBMITTED, "The sheet is submitted and locked; ask the office to reopen it.")
    if sheet.state is SheetState.RECUSED:
        raise Refusal(Reason.SHEET_RECUSED, "You are not scoring this candidate; ask the office if that is wrong.")
    window = round_.window()
    if window is None:
        raise Refusal(Reason.WINDOW_CLOSED, "This round has no scoring.")
    if now < window.opens or (now >= window.closes and not sheet.may_finish):
        when = "has not opened yet" if now < window.opens else "is closed"
        detail = f"The scoring window {when}."
        raise Refusal(Reason.WINDOW_CLOSED, detail, opens_at=window.opens, closes_at=window.closes)
    if not sheet.may_finish and await store.is_published(connection, round_.id):
        raise Refusal(Reason.ROUND_PUBLISHED, "The result is published; marks can no longer change.")


def require_reason(reason: str) -> str:
    """The reason without surrounding space; raises Refusal when there is none."""
    cleaned = clean_text(reason, REASON_LENGTH_MAX, "reason").strip()
    if not cleaned:
        raise Refusal(Reason.REASON_MISSING, "Write the reason in a sentence; it is kept.")
    return cleaned


def clean_text(text: str, length_max: int, what: str) -> str:
    """Free text without control characters but line breaks and tabs; raises Refusal when it is too long."""
    if len(text) > length_max:
        raise Refusal(CommonReason.BAD_REQUEST, f"The {what} is longer than {length_max} characters; shorten it.")
    kept = (c for c in text.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(kept)

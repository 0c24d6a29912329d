"""Score sheets: an expert saves, submits, or declares a conflict; the office sets aside, two of it reopen or restore.

Every act is one transaction that keeps the version it makes. An expert reaches own sheets only: the expert is always
the signed-in person, never a parameter. Called by `api.py`, `pages.py` and `office/`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from services.scoring import metrics, store
from services.scoring.desk import Desk
from services.scoring.marks import extreme, missing, read_marks
from services.scoring.office.turns import require_turn
from services.scoring.panels import letter
from services.scoring.panels import store as panel_store
from services.scoring.panels.conflicts import Facts, ties
from services.scoring.panels.panel import call_reserve
from services.scoring.reasons import Reason
from services.scoring.records import Sheet, SheetAct, SheetState
from services.scoring.rounds import Round
from services.shared.errors import CommonReason, Refusal
from services.shared.messages import CandidateCard
from services.shared.postgres import Connection, transaction
from services.shared.staff import Staff

REASON_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True)
class Signed:
    """Two people's signature under an act on a sheet: who, why, when."""

    actors: str
    reason: str
    at: datetime


async def open_queue(desk: Desk, round_id: str, expert: Staff) -> tuple[Round, dict[str, Sheet]]:
    """The round and the expert's own sheets by candidate; raises Refusal for whoever is not on the panel."""
    found = await _round_of_panellist(desk, round_id, expert)
    return found, await store.sheets_of_expert(desk.pool, found.id, expert.username)


async def open_sheet(desk: Desk, round_id: str, candidate: str, expert: Staff) -> tuple[Round, CandidateCard, Sheet]:
    """The expert's own sheet on a candidate; version 0 where nothing was saved yet."""
    found, card = await _scored_by(desk, round_id, candidate, expert)
    sheet = await store.sheet(desk.pool, found.id, candidate, expert.username)
    return found, card, sheet or Sheet(found.id, candidate, expert.username)


async def _scored_by(desk: Desk, round_id: str, candidate: str, expert: Staff) -> tuple[Round, CandidateCard]:
    """Round and card; raises Refusal where the expert does not score this candidate."""
    found = await _round_of_panellist(desk, round_id, expert)
    card = require_card(found, candidate)
    if found.is_tied(expert.username, candidate):
        detail = "The candidate's unit or channel is tied to you; ask the office if that is wrong."
        raise Refusal(Reason.CONFLICT_OF_INTEREST, detail)
    if not found.scores(expert.username, candidate):
        raise Refusal(Reason.NOT_ASSIGNED, "Another expert scores this candidate; your queue lists yours.")
    return found, card


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


@dataclass(frozen=True, slots=True)
class Written:
    """What an expert wrote; `comments` by criterion, None leaves them as they are.

    `based_on` is the version the writer saw: another one there now is refused as `sheet_changed`.
    """

    marks: Mapping[str, object]
    comment: str = ""
    comments: Mapping[str, str] | None = None
    based_on: int | None = None


async def save_sheet(desk: Desk, expert: Staff, round_id: str, candidate: str, written: Written) -> Sheet:
    """Replace marks and comments; saving what is there already makes no version.

    A refusal `sheet_changed` carries the sheet as it is here, so that the browser can merge and show what differs.
    """
    now = desk.clock.now()
    found, _ = await _scored_by(desk, round_id, candidate, expert)
    marks = read_marks(written.marks, found.criteria)
    comment = clean_text(written.comment, desk.settings.comment_length_max, "comment")
    comments = read_comments(desk, found, written.comments)
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        await _require_editable(connection, found, sheet, now)
        if written.based_on is not None and written.based_on != sheet.version:
            raise _changed(sheet)
        kept = sheet.comments if comments is None else comments
        if sheet.version and (sheet.marks, sheet.comments, sheet.comment) == (marks, kept, comment):
            return sheet
        saved = replace(sheet, version=sheet.version + 1, marks=marks, comments=kept, comment=comment, saved_at=now)
        await store.put_sheet(connection, saved, SheetAct.SAVED, expert.username)
    metrics.scoring_sheet_acts_total.labels(SheetAct.SAVED.value).inc()
    return saved


def _changed(sheet: Sheet) -> Refusal:
    held = {"marks": sheet.marks, "comments": sheet.comments, "comment": sheet.comment, "state": sheet.state.value}
    detail = "The sheet was saved elsewhere meanwhile; compare with what is there, and save again."
    return Refusal(Reason.SHEET_CHANGED, detail, version=sheet.version, sheet=held)


def read_comments(desk: Desk, round_: Round, written: Mapping[str, str] | None) -> dict[str, str] | None:
    """Comments by criterion in the order of the criteria, blanks left out; None where nothing was said of them."""
    if written is None:
        return None
    known = {criterion.id for criterion in round_.criteria}
    if unknown := sorted(set(written) - known):
        detail = f"There is no criterion “{unknown[0][:64]}”; use {', '.join(sorted(known))}."
        raise Refusal(Reason.BAD_MARKS, detail, criterion=unknown[0][:64])
    length_max = desk.settings.comment_length_max
    cleaned = {each.id: clean_text(written.get(each.id, ""), length_max, "comment") for each in round_.criteria}
    return {name: text for name, text in cleaned.items() if text.strip()}


async def submit_sheet(
    desk: Desk, expert: Staff, round_id: str, candidate: str, acknowledged: Collection[str] | None = None
) -> Sheet:
    """Lock a complete sheet; submitting a submitted one again is harmless.

    Marks at an end of their range must be in `acknowledged`; None is a program that was told of them when it saved.
    """
    now = desk.clock.now()
    found, _ = await _scored_by(desk, round_id, candidate, expert)
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        if sheet.state is SheetState.SUBMITTED:
            return sheet
        await _require_editable(connection, found, sheet, now)
        lacking = missing(sheet.marks, found.criteria)
        if lacking:
            titles = ", ".join(each.title or each.id for each in found.criteria if each.id in lacking)
            raise Refusal(Reason.MARKS_MISSING, f"Give marks for {titles}, then submit.", missing=lacking)
        _require_acknowledged(found, sheet, acknowledged)
        version = sheet.version + 1
        done = replace(
            sheet, version=version, state=SheetState.SUBMITTED, may_finish=False, saved_at=now, submitted_at=now
        )
        await store.put_sheet(connection, done, SheetAct.SUBMITTED, expert.username)
    metrics.scoring_sheet_acts_total.labels(SheetAct.SUBMITTED.value).inc()
    return done


def _require_acknowledged(round_: Round, sheet: Sheet, acknowledged: Collection[str] | None) -> None:
    if acknowledged is None:
        return
    doubtful = [name for name in extreme(sheet.marks, round_.criteria) if name not in acknowledged]
    if doubtful:
        titles = ", ".join(each.title or each.id for each in round_.criteria if each.id in doubtful)
        detail = f"The mark for {titles} is the lowest or highest there is; say that you mean it, or change it."
        raise Refusal(Reason.MARKS_EXTREME, detail, extreme=doubtful)


async def recuse(desk: Desk, expert: Staff, round_id: str, candidate: str, reason: str) -> Sheet:
    """Declare a conflict of interest: the sheet is taken out, its marks stay in the trace only."""
    now = desk.clock.now()
    found, _ = await _scored_by(desk, round_id, candidate, expert)
    reason = require_reason(reason)
    async with _changing(desk, found, candidate, expert.username) as (connection, sheet):
        if sheet.state is SheetState.RECUSED:
            return sheet
        await _require_in_window(connection, found, sheet, now)
        out = await _take_out(connection, sheet, expert.username, reason, now)
        await call_reserve(connection, desk, found, candidate, expert.username)
        return out


async def set_aside(desk: Desk, administrator: Staff, round_id: str, candidate: str, expert: str, reason: str) -> Sheet:
    """Take out a sheet that its expert left open when the window closed, so that it stops blocking the result."""
    now = desk.clock.now()
    found = await desk.round(round_id)
    require_untied(administrator, require_card(found, candidate))
    reason = require_reason(reason)
    async with _changing(desk, found, candidate, clean_text(expert, 200, "expert")) as (connection, sheet):
        require_begun(sheet)
        if sheet.state is SheetState.RECUSED:
            return sheet
        if sheet.state is SheetState.SUBMITTED:
            raise Refusal(Reason.SHEET_SUBMITTED, "A submitted sheet counts; it cannot be set aside.")
        if found.window_state(now).state != "closed":
            raise Refusal(Reason.SCORING_OPEN, "The expert can still finish; wait until the scoring window closes.")
        return await _take_out(connection, sheet, administrator.username, reason, now)


async def _take_out(connection: Connection, sheet: Sheet, actor: str, reason: str, now: datetime) -> Sheet:
    out = replace(
        sheet,
        version=sheet.version + 1,
        state=SheetState.RECUSED,
        marks={},
        comments={},
        comment="",
        may_finish=False,
        saved_at=now,
        submitted_at=None,
    )
    await store.put_sheet(connection, out, SheetAct.RECUSED, actor, reason)
    metrics.scoring_sheet_acts_total.labels(SheetAct.RECUSED.value).inc()
    return out


async def reopen(connection: Connection, round_: Round, candidate: str, expert: str, by: Signed) -> Sheet:
    """Unlock a sheet for its expert, who may then finish it even after the window; the trace keeps who and why."""
    sheet = await _locked(connection, round_, candidate, expert)
    if sheet.state is SheetState.DRAFT and (sheet.may_finish or round_.window_state(by.at).state != "closed"):
        return sheet
    again = replace(
        sheet, version=sheet.version + 1, state=SheetState.DRAFT, may_finish=True, saved_at=by.at, submitted_at=None
    )
    return await _put(connection, again, SheetAct.REOPENED, by)


async def restore(connection: Connection, round_: Round, old: Sheet, by: Signed) -> Sheet:
    """Bring a sheet back to what an older version of it says, as a new version."""
    sheet = await _locked(connection, round_, old.candidate, old.expert)
    held = (sheet.state, sheet.marks, sheet.comments, sheet.comment)
    if held == (old.state, old.marks, old.comments, old.comment):
        return sheet
    submitted_at = by.at if old.state is SheetState.SUBMITTED else None
    unlocked = old.state is SheetState.DRAFT
    back = replace(old, version=sheet.version + 1, may_finish=unlocked, saved_at=by.at, submitted_at=submitted_at)
    return await _put(connection, back, SheetAct.RESTORED, by)


async def enter(connection: Connection, round_: Round, entered: Sheet, by: Signed) -> Sheet:
    """Submit what two clerks read off a sheet of paper alike."""
    sheet = await store.lock_sheet(connection, round_.id, entered.candidate, entered.expert)
    if sheet is not None and sheet.state is not SheetState.DRAFT:
        raise Refusal(Reason.SHEET_SUBMITTED, "The expert's sheet is submitted or set aside; have it reopened first.")
    version = 1 if sheet is None else sheet.version + 1
    done = replace(entered, version=version, state=SheetState.SUBMITTED, saved_at=by.at, submitted_at=by.at)
    return await _put(connection, done, SheetAct.ENTERED, by)


async def _locked(connection: Connection, round_: Round, candidate: str, expert: str) -> Sheet:
    await store.share_round(connection, round_.id)
    found = await store.lock_sheet(connection, round_.id, candidate, expert)
    return require_begun(found or Sheet(round_.id, candidate, expert))


async def _put(connection: Connection, new: Sheet, act: SheetAct, by: Signed) -> Sheet:
    await store.put_sheet(connection, new, act, by.actors, by.reason)
    metrics.scoring_sheet_acts_total.labels(act.value).inc()
    return new


def require_begun(sheet: Sheet) -> Sheet:
    """The sheet; raises Refusal for one that was never saved."""
    if sheet.version == 0:
        raise Refusal(Reason.UNKNOWN_SHEET, "This expert has no sheet on this candidate; check the user name.")
    return sheet


def require_untied(official: Staff, card: CandidateCard) -> None:
    """Nobody of the office touches what concerns the unit or channel they belong to."""
    if ties(Facts(official.unit, official.channel), card):
        detail = "The candidate's unit or channel is your own; a colleague without a tie to it must do this."
        raise Refusal(Reason.CONFLICT_OF_INTEREST, detail)


async def _require_editable(connection: Connection, round_: Round, sheet: Sheet, now: datetime) -> None:
    """Raises Refusal unless the expert may write marks now: in the window, the letter signed, at the meeting's turn."""
    await _require_in_window(connection, round_, sheet, now)
    if round_.seats and not await panel_store.letter_signed_at(connection, round_.id, sheet.expert, letter.VERSION):
        raise Refusal(Reason.LETTER_UNSIGNED, "Read and sign the commitment letter before your first mark.")
    await require_turn(connection, round_.id, sheet.candidate, sheet.expert)


async def _require_in_window(connection: Connection, round_: Round, sheet: Sheet, now: datetime) -> None:
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

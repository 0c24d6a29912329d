"""The experts' pages: the queue, the score sheet, one's own marks. The same domain calls as the API, in other clothes.

The sheet works as a plain form without script; `static/expert/` saves each change, merges and follows the meeting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED

from services.scoring import names, sheet_form, sheets, store, views
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.office import reading
from services.scoring.office import store as office_store
from services.scoring.panels import panel
from services.scoring.records import Sheet, SheetState
from services.scoring.rounds import Round
from services.scoring.sheet_form import COMMENT, MARK, MEANT, part_of
from services.scoring.views import Json
from services.shared.errors import Refusal, SignInFirst
from services.shared.messages import CandidateCard
from services.shared.staff import Role, Staff

AnyRequest = Request[Any, Any, Any]
_SHEET = "/expert/rounds/{round_id:str}/candidates/{candidate:str}"


@get("/expert", include_in_schema=False)
async def show_desk(request: AnyRequest) -> Response[Any]:
    desk = desk_of(request)
    expert = await desk.door.visitor(request, Role.EXPERT)
    rounds = [each for each in await desk.rounds() if each.is_panellist(expert.username) and each.window() is not None]
    queues = [await _queue(desk, each, expert) for each in rounds]
    return pages_of(request).render(request, "expert.html", staff=expert, queues=queues, names=names)


async def _queue(desk: Desk, round_: Round, expert: Staff) -> Json:
    own = await store.sheets_of_expert(desk.pool, round_.id, expert.username)
    queue = views.queue_json(round_, own, expert.username, desk.clock.now())
    done = [sheet for sheet in own.values() if sheet.state is not SheetState.DRAFT]
    waiting = (row["candidate"] for row in queue["sheets"] if row["state"] == SheetState.DRAFT.value)
    return queue | {
        "timezone": round_.timezone,
        "rehearsal": round_.message.rehearsal,
        "done": sum(round_.scores(sheet.expert, sheet.candidate) for sheet in done),
        "next": next(waiting, None),
        "letter": await panel.unsigned_letter(desk, round_, expert),
        "turn": await _turn(desk, round_, expert),
        "reminded_at": (await office_store.reminded(desk.pool, round_.id)).get(expert.username, (None, 0))[0],
    }


async def _turn(desk: Desk, round_: Round, expert: Staff) -> Json:
    """Whose turn it is, and the expert's part in it."""
    turn = await reading.turn(desk, round_)
    here = turn["state"] == "under_way"
    return turn | {
        "is_present": here and expert.username in turn["present"],
        "is_chair": here and expert.username == turn["chair"],
        "is_own": here and bool(turn["candidate"]) and round_.scores(expert.username, turn["candidate"]),
    }


@get(_SHEET, include_in_schema=False)
async def show_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    desk = desk_of(request)
    expert = await desk.door.visitor(request, Role.EXPERT)
    found, card, sheet = await sheets.open_sheet(desk, round_id, candidate, expert)
    return await _render_sheet(request, expert, found, card, sheet)


async def _render_sheet(
    request: AnyRequest,
    expert: Staff,
    round_: Round,
    card: CandidateCard,
    sheet: Sheet,
    refusal: Refusal | None = None,
    written: Mapping[str, str] | None = None,
) -> Response[Any]:
    """The sheet with what is stored, or with what was just written and why it was not taken."""
    desk = desk_of(request)
    own = await store.sheets_of_expert(desk.pool, round_.id, expert.username)
    window = round_.window_state(desk.clock.now())
    turn = await _turn(desk, round_, expert)
    waits_turn = turn["is_present"] and turn["candidate"] != card.candidate
    in_time = window.state == "open" or sheet.may_finish
    translate = pages_of(request).translate(request)
    return pages_of(request).render(
        request,
        "sheet.html",
        status=HTTP_200_OK if refusal is None else refusal.reason.status,
        staff=expert,
        round=round_,
        card=card,
        sheet=sheet,
        stored=sheet_form.content_of(sheet),
        shown=sheet_form.content_of(sheet) if written is None else sheet_form.content_written(written),
        criteria=[sheet_form.criterion_view(round_, each) for each in round_.criteria],
        window=window,
        in_time=in_time,
        editable=sheet.state is SheetState.DRAFT and in_time and not waits_turn,
        problem=refusal and sheet_form.sentence(translate, refusal, round_),
        wrong=sheet_form.wrong_criteria(refusal),
        doubtful=[] if refusal is None else refusal.extra.get("extreme", []),
        letter=await panel.unsigned_letter(desk, round_, expert),
        turn=turn,
        place=sheet_form.neighbours(round_, own, expert.username, card.candidate),
        labels=json.dumps({key: translate(text) for key, text in names.APPLICATION.items()}, ensure_ascii=False),
        just=request.query_params.get("done", ""),
        names=names,
    )


@post(_SHEET, include_in_schema=False)
async def take_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """The plain form: save, submit (saves first), sign the letter, or declare a conflict."""
    desk = desk_of(request)
    form = await request.form()
    written = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    try:
        expert = await desk.door.visitor(request, Role.EXPERT)
    except SignInFirst:
        # What was written must survive the renewal, so it comes back as a form to send again.
        kept = {key: value for key, value in written.items() if key != "_csrf_token"}
        return pages_of(request).render(request, "renew.html", status=HTTP_401_UNAUTHORIZED, kept=kept)
    try:
        done = await _act(desk, expert, round_id, candidate, written)
    except Refusal as refusal:
        if refusal.reason not in sheet_form.TOLD_ON_SHEET:
            raise
        found, card, sheet = await sheets.open_sheet(desk, round_id, candidate, expert)
        return await _render_sheet(request, expert, found, card, sheet, refusal, written)
    return Redirect(f"{request.url.path}?done={done}", status_code=HTTP_303_SEE_OTHER)


async def _act(desk: Desk, expert: Staff, round_id: str, candidate: str, written: Mapping[str, str]) -> str:
    """Do what the pressed button says; returns the word for what was done."""
    action = written.get("action", "save")
    if action == "recuse" or "usual_reason" in written:
        reason = written.get("usual_reason", "").strip() or written.get("reason", "")
        await sheets.recuse(desk, expert, round_id, candidate, reason)
        return SheetState.RECUSED.value
    if action == "sign":
        await panel.sign_letter(desk, round_id, expert, written.get("letter", ""))
        return "signed"
    version = written.get("version", "")
    based_on = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else None
    # A form without fields for comments by criterion leaves them as they are.
    comments = part_of(written, COMMENT) or None
    content = sheets.Written(part_of(written, MARK), written.get("comment", ""), comments, based_on)
    await sheets.save_sheet(desk, expert, round_id, candidate, content)
    if action != "submit":
        return "saved"
    await sheets.submit_sheet(desk, expert, round_id, candidate, list(part_of(written, MEANT)))
    return SheetState.SUBMITTED.value


@get("/expert/rounds/{round_id:str}/marks", include_in_schema=False)
async def show_own_marks(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """How the expert's own marks lie; nobody else's, and nobody else sees it."""
    desk = desk_of(request)
    expert = await desk.door.visitor(request, Role.EXPERT)
    found, own = await sheets.open_queue(desk, round_id, expert)
    cards = [card for card in found.cards_of(expert.username) if card.candidate in own]
    rows = [(card, own[card.candidate]) for card in cards if own[card.candidate].marks]
    spreads = [
        sheet_form.criterion_view(found, each)
        | sheet_form.spread(each, [sheet.marks[each.id] for _, sheet in rows if each.id in sheet.marks])
        for each in found.criteria
    ]
    return pages_of(request).render(request, "expert_marks.html", staff=expert, round=found, rows=rows, spreads=spreads)


ROUTES = [show_desk, show_sheet, take_sheet, show_own_marks]

"""The experts' pages: the queue and the score sheet. The same domain calls as the API, in other clothes.

Everything works as a plain form without script; `expert.js` saves each change and renews the sign-in silently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post, put
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED

from services.scoring import names, sheets, store, views
from services.scoring.api import SheetBody
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.panels import panel
from services.scoring.reasons import Reason
from services.scoring.records import Sheet, SheetState
from services.scoring.rounds import Round
from services.scoring.views import Json
from services.shared.errors import CommonReason, Refusal
from services.shared.messages import CandidateCard
from services.shared.ranking.numbers import print_number
from services.shared.staff import Role, Staff, bearer

AnyRequest = Request[Any, Any, Any]
MARK = "mark."
MEANT = "meant."
# Refusals that the sheet itself explains, beside what the expert wrote; any other is a page of its own.
_TOLD_ON_SHEET = frozenset(
    {Reason.BAD_MARKS, Reason.MARKS_MISSING, Reason.REASON_MISSING, Reason.SHEET_CHANGED, Reason.WINDOW_CLOSED}
    | {Reason.SHEET_SUBMITTED, Reason.SHEET_RECUSED, Reason.ROUND_PUBLISHED, Reason.MARKS_EXTREME}
    | {Reason.LETTER_UNSIGNED, Reason.LETTER_CHANGED, Reason.NOT_IN_MEETING}
)

_NAMES_CRITERIA = (Reason.BAD_MARKS, Reason.MARKS_MISSING, Reason.MARKS_EXTREME)


async def _expert(desk: Desk, request: AnyRequest) -> Staff | None:
    """The signed-in expert; None when the sign-in must be renewed first. Raises Refusal 403 without the role."""
    expert = await desk.door.identify(request)
    if expert is not None:
        if not expert.has(Role.EXPERT):
            raise Refusal(CommonReason.FORBIDDEN, "These pages are for experts.")
        return expert
    if desk.verifier.verify(bearer(request)) is not None:
        # A genuine token of an account unknown here: renewing would lead back here for ever.
        raise Refusal(CommonReason.STAFF_STALE, "This account is not known to scoring yet, or is disabled.")
    return None


def _renew(path: str) -> Redirect:
    return Redirect(f"/sign-in/renew?next={quote(path, safe='/')}", status_code=HTTP_303_SEE_OTHER)


@get("/expert", include_in_schema=False)
async def show_desk(request: AnyRequest) -> Response[Any]:
    desk = desk_of(request)
    expert = await _expert(desk, request)
    if expert is None:
        return _renew(request.url.path)
    now = desk.clock.now()
    queues = []
    for each in await desk.rounds():
        if each.is_panellist(expert.username) and each.window() is not None:
            own = await store.sheets_of_expert(desk.pool, each.id, expert.username)
            queues.append(_queue(each, own, views.queue_json(each, own, expert.username, now)))
    return pages_of(request).render(request, "expert.html", staff=expert, queues=queues, names=names)


def _queue(round_: Round, own: Mapping[str, Sheet], queue: Json) -> Json:
    done = [sheet for sheet in own.values() if sheet.state is not SheetState.DRAFT]
    waiting = (row["candidate"] for row in queue["sheets"] if row["state"] == SheetState.DRAFT.value)
    return queue | {
        "timezone": round_.timezone,
        "rehearsal": round_.message.rehearsal,
        "done": sum(round_.scores(sheet.expert, sheet.candidate) for sheet in done),
        "next": next(waiting, None),
    }


@get("/expert/rounds/{round_id:str}/candidates/{candidate:str}", include_in_schema=False)
async def show_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    desk = desk_of(request)
    expert = await _expert(desk, request)
    if expert is None:
        return _renew(request.url.path)
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
    order = [each.candidate for each in round_.cards_of(expert.username)]
    here = order.index(card.candidate)
    window = round_.window_state(desk.clock.now())
    translate = pages_of(request).translate(request)
    marks = {key.removeprefix(MARK): value for key, value in (written or {}).items() if key.startswith(MARK)}
    shown = dict(sheet.marks) if written is None else marks
    return pages_of(request).render(
        request,
        "sheet.html",
        status=HTTP_200_OK if refusal is None else refusal.reason.status,
        staff=expert,
        round=round_,
        card=card,
        sheet=sheet,
        marks=shown,
        comment=sheet.comment if written is None else written.get("comment", ""),
        criteria=[_criterion(round_, each.id) for each in round_.criteria],
        window=window,
        editable=sheet.state is SheetState.DRAFT and (window.state == "open" or sheet.may_finish),
        problem=refusal and _sentence(translate, refusal, round_),
        wrong=_wrong_criteria(refusal),
        doubtful=[] if refusal is None else refusal.extra.get("extreme", []),
        letter=await panel.unsigned_letter(desk, round_, expert),
        previous=order[here - 1] if here else None,
        following=order[here + 1] if here + 1 < len(order) else None,
        position=here + 1,
        total=len(order),
        done=sum(each.state is not SheetState.DRAFT for name, each in own.items() if name in order),
        labels=json.dumps({key: translate(text) for key, text in names.APPLICATION.items()}, ensure_ascii=False),
        just=request.query_params.get("done", ""),
        names=names,
    )


def _criterion(round_: Round, criterion_id: str) -> Json:
    criterion = next(each for each in round_.criteria if each.id == criterion_id)
    text = round_.text_of(criterion_id)

    def plain(number: Any) -> str:
        return print_number(number, None, "half_up")

    return {
        "id": criterion.id,
        "title": criterion.title or criterion.id,
        "weight": plain(criterion.weight * 100),
        "min": plain(criterion.minimum),
        "max": "" if criterion.maximum is None else plain(criterion.maximum),
        "step": plain(criterion.step) if criterion.step else "any",
        "description": text.description,
        "anchors": text.anchors,
    }


def _wrong_criteria(refusal: Refusal | None) -> list[str]:
    if refusal is None:
        return []
    named = refusal.extra.get("missing") or refusal.extra.get("extreme") or [refusal.extra.get("criterion", "")]
    return [str(name) for name in named]


def _sentence(translate: Callable[[str], str], refusal: Refusal, round_: Round) -> str:
    """Why the sheet was not taken, in the reader's language."""
    titles = {criterion.id: criterion.title or criterion.id for criterion in round_.criteria}
    named = "、".join(titles.get(name, name) for name in _wrong_criteria(refusal))
    texts = {
        Reason.BAD_MARKS: "分数不符合要求，请按范围和步长填写：",
        Reason.MARKS_MISSING: "还没有打分，补齐后再提交：",
        Reason.REASON_MISSING: "请写明回避的原因。",
        Reason.SHEET_CHANGED: "这张评分表刚在别处保存过。下面是您写的内容；再次保存就以它为准。",
        Reason.WINDOW_CLOSED: "现在不在评分时间内，没有保存。",
        Reason.SHEET_SUBMITTED: "评分表已经提交并锁定，没有保存。",
        Reason.SHEET_RECUSED: "您已对这个项目申报回避，没有保存。",
        Reason.ROUND_PUBLISHED: "结果已经公布，不能再改。",
        Reason.MARKS_EXTREME: "这是最低分或最高分，请核对，确认无误后勾选再提交：",
        Reason.LETTER_UNSIGNED: "请先阅读并签署承诺书，再评分。没有保存。",
        Reason.LETTER_CHANGED: "承诺书已经更新，请重新阅读后签署。",
        Reason.NOT_IN_MEETING: "评审会还没有进行到这个项目，没有保存。",
    }
    reason = next(each for each in Reason if each is refusal.reason)
    return translate(texts[reason]) + (named if reason in _NAMES_CRITERIA else "")


@post("/expert/rounds/{round_id:str}/candidates/{candidate:str}", include_in_schema=False)
async def take_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """The plain form: save, submit (saves first), or declare a conflict."""
    desk = desk_of(request)
    form = await request.form()
    written = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    expert = await _expert(desk, request)
    if expert is None:
        # What was written must survive the renewal, so it comes back as a form to send again.
        kept = {key: value for key, value in written.items() if key != "_csrf_token"}
        return pages_of(request).render(request, "renew.html", status=HTTP_401_UNAUTHORIZED, kept=kept)
    try:
        done = await _act(desk, expert, round_id, candidate, written)
    except Refusal as refusal:
        if refusal.reason not in _TOLD_ON_SHEET:
            raise
        found, card, sheet = await sheets.open_sheet(desk, round_id, candidate, expert)
        return await _render_sheet(request, expert, found, card, sheet, refusal, written)
    return Redirect(f"{request.url.path}?done={done}", status_code=HTTP_303_SEE_OTHER)


async def _act(desk: Desk, expert: Staff, round_id: str, candidate: str, written: Mapping[str, str]) -> str:
    """Do what the pressed button says; returns the word for what was done."""
    action = written.get("action", "save")
    if action == "recuse":
        reason = written.get("reason", "").strip() or written.get("usual_reason", "")
        await sheets.recuse(desk, expert, round_id, candidate, reason)
        return SheetState.RECUSED.value
    if action == "sign":
        await panel.sign_letter(desk, round_id, expert, written.get("letter", ""))
        return "signed"
    marks = {key.removeprefix(MARK): value for key, value in written.items() if key.startswith(MARK)}
    version = written.get("version", "")
    based_on = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else None
    content = sheets.Written(marks, written.get("comment", ""), based_on=based_on)
    await sheets.save_sheet(desk, expert, round_id, candidate, content)
    if action != "submit":
        return "saved"
    meant = [key.removeprefix(MEANT) for key in written if key.startswith(MEANT)]
    await sheets.submit_sheet(desk, expert, round_id, candidate, meant)
    return SheetState.SUBMITTED.value


@put("/expert/rounds/{round_id:str}/candidates/{candidate:str}/marks", include_in_schema=False)
async def autosave(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[SheetBody]
) -> Json:
    """What `expert.js` sends after each change, with the form's token in `x-csrftoken`."""
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    sheet = await sheets.save_sheet(desk, expert, round_id, candidate, data.read())
    return views.sheet_json(await desk.round(round_id), sheet)


ROUTES = [show_desk, show_sheet, take_sheet, autosave]

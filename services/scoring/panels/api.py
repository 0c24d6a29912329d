"""Routes of panels: the pool, draws on the record, the commitment letter, and others' marks once all are in."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from services.scoring import combination, paging, sheets
from services.scoring import store as scoring_store
from services.scoring.desk import desk_of
from services.scoring.panels import letter, panel, store
from services.scoring.panels.conflicts import Facts
from services.scoring.panels.drawing import PoolExpert
from services.scoring.panels.panel import Plan
from services.scoring.reasons import Reason
from services.scoring.records import SheetState
from services.shared.errors import Refusal
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]


class PoolEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An expert of the pool by user name; `listed` false takes one off."""

    expert: str
    fields: list[str] = []
    unit: str = ""
    channel: str = ""
    employers: list[str] = []
    partners: list[str] = []
    listed: bool = True

    def read(self) -> tuple[PoolExpert, bool]:
        facts = Facts(self.unit, self.channel, tuple(self.employers), tuple(self.partners))
        return PoolExpert(self.expert, tuple(sorted(set(self.fields))), facts), self.listed


class PoolBody(msgspec.Struct, forbid_unknown_fields=True):
    """Experts to add, change or take off."""

    experts: list[PoolEntry]


class WordBody(msgspec.Struct, forbid_unknown_fields=True):
    """A word said by the second person, like the closing figure of the day's stock index."""

    word: str


class LetterBody(msgspec.Struct, forbid_unknown_fields=True):
    """The version of the letter that was read."""

    version: str


@post("/rounds/{round_id:str}/pool", summary="Add, change or take off experts of the pool", status_code=HTTP_200_OK)
async def put_pool(request: AnyRequest, round_id: FromPath[str], data: JSONBody[PoolBody]) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR)
    listed = await panel.put_pool(desk, round_id, [each.read() for each in data.experts])
    return {"round": round_id, "listed": listed}


@get("/rounds/{round_id:str}/pool", summary="The pool of experts")
async def show_pool(
    request: AnyRequest,
    round_id: FromPath[str],
    after: FromQuery[str] = "",
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    experts = await store.pool(desk.pool, found.id, after, paging.checked_limit(limit) + 1)
    return paging.page(experts, limit, lambda each: each.expert, msgspec.to_builtins)


@post("/rounds/{round_id:str}/draws", summary="Promise a draw of panels by its seed's digest")
async def promise(request: AnyRequest, round_id: FromPath[str], data: JSONBody[Plan]) -> Json:
    desk = desk_of(request)
    administrator = await desk.door.require(request, Role.ADMINISTRATOR)
    return _draw_json(await panel.promise(desk, round_id, data, administrator), sees_all=True)


@post("/rounds/{round_id:str}/draws/{number:int}/reveals", summary="Draw, with a word of a second person")
async def reveal(request: AnyRequest, round_id: FromPath[str], number: FromPath[int], data: JSONBody[WordBody]) -> Json:
    desk = desk_of(request)
    administrator = await desk.door.require(request, Role.ADMINISTRATOR)
    return _draw_json(await panel.reveal(desk, round_id, number, data.word, administrator), sees_all=True)


@get("/rounds/{round_id:str}/draws", summary="Promised and done draws; the office and auditors see who was drawn")
async def show_draws(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    found = await desk.round(round_id)
    staff = await desk.door.identify(request)
    sees_all = staff is not None and staff.has(Role.ADMINISTRATOR, Role.AUDITOR)
    draws = [_draw_json(each, sees_all) for each in await store.draws(desk.pool, found.id)]
    called = await store.called(desk.pool, found.id) if sees_all else []
    return {"round": found.id, "draws": draws, "called": called}


def _draw_json(drawn: store.Draw, sees_all: bool) -> Json:
    """A draw; its seed is told once it was used, its people to the office and auditors only."""
    told = {
        "draw": drawn.draw,
        "commitment": drawn.commitment,
        "pool_digest": drawn.pool_digest,
        "plan": drawn.plan,
        "committed_at": drawn.committed_at,
        "drawn_at": drawn.drawn_at,
        "word": drawn.word,
        "seed": drawn.seed if drawn.drawn_at else "",
    }
    if sees_all:
        panels = msgspec.to_builtins(drawn.panels)
        told |= {"committed_by": drawn.committed_by, "drawn_by": drawn.drawn_by, "panels": panels}
    return told


@get("/rounds/{round_id:str}/letter", summary="The commitment letter, and whether the expert signed it")
async def show_letter(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    found = await desk.round(round_id)
    signed_at = await store.letter_signed_at(desk.pool, found.id, expert.username, letter.VERSION)
    return {"version": letter.VERSION, "text": letter.TEXT, "signed_at": signed_at}


@post("/rounds/{round_id:str}/letter", summary="Sign the commitment letter", status_code=HTTP_201_CREATED)
async def sign_letter(request: AnyRequest, round_id: FromPath[str], data: JSONBody[LetterBody]) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    signed_at = await panel.sign_letter(desk, round_id, expert, data.version)
    return {"version": letter.VERSION, "signed_at": signed_at}


@get("/rounds/{round_id:str}/candidates/{candidate:str}/marks", summary="All marks on a candidate, once all are in")
async def show_marks(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Json:
    """For experts who score the candidate: pseudonymous, and hidden while any of its sheets is out."""
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    found, _, own = await sheets.open_sheet(desk, round_id, candidate, expert)
    statuses = await scoring_store.sheet_statuses(desk.pool, found.id)
    done = {each.expert for each in statuses if each.candidate == candidate and each.state != SheetState.DRAFT}
    begun = {each.expert for each in statuses if each.candidate == candidate}
    waiting = [each for each in found.panel(begun) if found.scores(each, candidate) and each not in done]
    if waiting or own.state is not SheetState.SUBMITTED:
        raise Refusal(Reason.MARKS_HIDDEN, "Marks of others are shown when you and everybody else have submitted.")
    submitted = await scoring_store.submitted_sheets(desk.pool, found.id)
    key = desk.keys.pseudonyms
    told = [
        {"expert": combination.pseudonym(key, found.id, candidate, each.expert), "marks": each.marks}
        for each in submitted
        if each.candidate == candidate and found.scores(each.expert, candidate)
    ]
    return {"candidate": candidate, "sheets": sorted(told, key=lambda each: str(each["expert"]))}


ROUTES = [put_pool, show_pool, promise, reveal, show_draws, show_letter, sign_letter, show_marks]

"""Routes for programs under /api/scoring/v1: parse, one domain call, reply. Experts' sheets and the round's facts."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.serialization import encode_json
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from services.scoring import paging, progress, sheets, store, tally_store, views
from services.scoring.desk import Desk, desk_of
from services.scoring.office import proposals
from services.scoring.office.proposals import Kind
from services.scoring.rankings import states
from services.scoring.views import Json
from services.shared.live import live_of
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
_WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)


class SheetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Marks by criterion as decimals in quotes; some may still be missing. `version`: the one this is based on.

    `comments` by criterion; left out, they stay as they are.
    """

    marks: dict[str, Any]
    comment: str = ""
    comments: dict[str, str] | None = None
    version: int | None = None

    def read(self) -> sheets.Written:
        return sheets.Written(self.marks, self.comment, self.comments, self.version)


class SubmitBody(msgspec.Struct, forbid_unknown_fields=True):
    """Criteria whose mark at an end of its range is meant."""

    acknowledged: list[str] = []


class RecusalBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why an expert does not score; `expert` is for administrators, who set an abandoned sheet aside."""

    reason: str
    expert: str = ""


class ReopeningBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose sheet is opened again, and why."""

    expert: str
    reason: str


@get("/rounds/{round_id:str}", summary="Public facts of a round")
async def show_round(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    found = await desk.round(round_id)
    published = (await store.published_versions(desk.pool)).get(found.id, 0)
    return views.round_json(found, desk.clock.now(), published)


@get(
    "/rounds/{round_id:str}/state",
    summary="Progress of experts, tally and rankings, for the office; also as a stream of events",
)
async def show_state(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    desk = desk_of(request)
    await desk.door.require(request, *_WATCHERS)
    found = await desk.round(round_id)

    async def read() -> bytes:
        return encode_json(await _state(desk, found.id))

    async def remaining() -> float:
        return await desk.door.remaining_s(request, *_WATCHERS)

    return await live_of(request).answer(request, f"state {found.id}", read, remaining=remaining)


async def _state(desk: Desk, round_id: str) -> Json:
    """What the office sees of a round: states and counts of sheets, never a mark or a vote."""
    found = await desk.round(round_id)
    panel = progress.panel_progress(found, await store.sheet_statuses(desk.pool, found.id))
    names = await store.names_of(desk.pool, [each.expert for each in panel])
    known = await store.rankings(desk.pool, found.id)
    state_of = states(known)
    rankings = [views.ranking_json(each, state_of[each.version]) for each in known]
    tally = await tally_store.newest(desk.pool, found.id)
    reopening = await tally_store.reopening(desk.pool, found.id)
    return views.state_json(found, desk.clock.now(), panel, names, tally, reopening, rankings)


@get("/rounds/{round_id:str}/sheets", summary="The signed-in expert's own queue")
async def show_queue(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    found, own = await sheets.open_queue(desk, round_id, expert)
    return views.queue_json(found, own, expert.username, desk.clock.now())


@get("/rounds/{round_id:str}/sheets/{candidate:str}", summary="The expert's own sheet on a candidate")
async def show_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    found, _, sheet = await sheets.open_sheet(desk, round_id, candidate, expert)
    return views.sheet_json(found, sheet)


@put("/rounds/{round_id:str}/sheets/{candidate:str}", summary="Save marks and comment")
async def save_sheet(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[SheetBody]
) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    sheet = await sheets.save_sheet(desk, expert, round_id, candidate, data.read())
    return views.sheet_json(await desk.round(round_id), sheet)


@post(
    "/rounds/{round_id:str}/sheets/{candidate:str}/submit",
    summary="Submit a complete sheet, which locks it",
    status_code=HTTP_200_OK,
)
async def submit_sheet(
    request: AnyRequest,
    round_id: FromPath[str],
    candidate: FromPath[str],
    data: JSONBody[SubmitBody | None] = None,
) -> Json:
    """Without a body, marks at an end of their range, which every answer names as `extreme`, are taken as meant."""
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    acknowledged = None if data is None else data.acknowledged
    sheet = await sheets.submit_sheet(desk, expert, round_id, candidate, acknowledged)
    return views.sheet_json(await desk.round(round_id), sheet)


@post(
    "/rounds/{round_id:str}/sheets/{candidate:str}/recusals",
    summary="Declare a conflict of interest; or, as administrator, set an abandoned sheet aside",
    status_code=HTTP_201_CREATED,
)
async def recuse(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[RecusalBody]
) -> Json:
    desk = desk_of(request)
    if data.expert:
        administrator = await desk.door.require(request, Role.ADMINISTRATOR)
        sheet = await sheets.set_aside(desk, administrator, round_id, candidate, data.expert, data.reason)
    else:
        expert = await desk.door.require(request, Role.EXPERT)
        sheet = await sheets.recuse(desk, expert, round_id, candidate, data.reason)
    return views.sheet_json(await desk.round(round_id), sheet)


@post(
    "/rounds/{round_id:str}/sheets/{candidate:str}/reopenings",
    summary="Propose to open an expert's sheet again; a second administrator confirms the proposal",
    status_code=HTTP_201_CREATED,
)
async def reopen(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[ReopeningBody]
) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    made = await proposals.propose(desk, official, round_id, Kind.REOPEN_SHEET, candidate, data.expert, data.reason)
    return {"proposal": made.proposal, "candidate": candidate, "expert": made.expert, "state": "proposed"}


@get("/rounds/{round_id:str}/sheets/{candidate:str}/versions", summary="Every version of the expert's own sheet")
async def show_versions(
    request: AnyRequest,
    round_id: FromPath[str],
    candidate: FromPath[str],
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    desk = desk_of(request)
    expert = await desk.door.require(request, Role.EXPERT)
    found, _, _ = await sheets.open_sheet(desk, round_id, candidate, expert)
    wanted = paging.checked_limit(limit) + 1
    known = await store.sheet_versions(desk.pool, found.id, candidate, expert.username, after, wanted)
    return paging.page(known, limit, lambda each: each["version"], dict)


ROUTES = [show_round, show_state, show_queue, show_sheet, save_sheet, submit_sheet, recuse, reopen, show_versions]

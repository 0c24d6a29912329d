"""Routes about versions of a ranking: what a recomputation would change, how two versions differ, rows by filter."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get
from litestar.params import FromPath, FromQuery

from services.scoring import own_sheets, paging, rankings, store, views
from services.scoring.changes import compare
from services.scoring.desk import Desk, desk_of
from services.scoring.exports.files import Filter
from services.scoring.readers.keys import reads_all
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.results import public_body
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]


async def _version(desk: Desk, found: Round, version: int, sees_all: bool) -> tuple[Ranking, Json]:
    """A ranking and the body its reader may see; raises Refusal for what is not published to the public."""
    ranking = await store.ranking(desk.pool, found.id, version) if 0 < version < 10**6 else None
    if ranking is None or (ranking.published_at is None and not sees_all):
        raise Refusal(Reason.UNKNOWN_RANKING, "Nothing is published under this version; list them and choose one.")
    return ranking, dict(ranking.body) if sees_all else public_body(ranking.body, found.rules)


@get("/rounds/{round_id:str}/preview", summary="Who would move by computing again now; nothing is stored")
async def show_preview(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    administrator = await desk.door.require(request, Role.ADMINISTRATOR)
    before, after = await rankings.preview(desk, round_id, administrator)
    if before is None:
        return {"round": round_id, "before": None, "after": after.version, "rows": after.body["rows"]}
    changed = await asyncio.to_thread(compare, before, after, before.body, after.body)
    return {"round": round_id, **changed}


@get("/rounds/{round_id:str}/rankings/{before:int}/compare/{after:int}", summary="How two versions differ")
async def show_comparison(
    request: AnyRequest, round_id: FromPath[str], before: FromPath[int], after: FromPath[int]
) -> Json:
    desk = desk_of(request)
    found = await desk.round(round_id)
    sees_all = await reads_all(desk, request)
    old, old_body = await _version(desk, found, before, sees_all)
    new, new_body = await _version(desk, found, after, sees_all)
    changed = await asyncio.to_thread(compare, old, new, old_body, new_body)
    why = await store.recomputations(desk.pool, found.id)
    return {"round": found.id, **changed, "recomputation": why.get(after)}


@get("/rounds/{round_id:str}/rankings/{version:int}/rows", summary="Rows of a version by group and outcome, in pages")
async def show_rows(
    request: AnyRequest,
    round_id: FromPath[str],
    version: FromPath[int],
    group: FromQuery[str] = "",
    outcome: FromQuery[str] = "",
    text: FromQuery[str] = "",
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    """`text` is looked for in title and unit; `after` counts rows of the filtered list."""
    desk = desk_of(request)
    found = await desk.round(round_id)
    sees_all = await reads_all(desk, request)
    ranking, body = await _version(desk, found, version, sees_all)
    wanted = Filter(group, outcome, text)
    rows = [row for row in body["rows"] if wanted.admits(row)]
    paging.checked_limit(limit)
    start = max(0, after)
    numbered = list(enumerate(rows, 1))[start : start + limit + 1]
    state = "published" if ranking.published_at else "proposed"
    page = paging.page(numbered, limit, lambda each: each[0], lambda each: each[1])
    return {"round": found.id, **views.ranking_json(ranking, state), **page}


@get("/rounds/{round_id:str}/rankings/{version:int}/own-sheets", summary="Candidates whose own sheet one may see")
async def list_own_sheets(
    request: AnyRequest,
    round_id: FromPath[str],
    version: FromPath[int],
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    """An applicant's are those of the own unit, once the version is published; `after` counts rows."""
    desk = desk_of(request)
    reader = await desk.door.require(request, *own_sheets.READERS)
    found, ranking, rows = await own_sheets.own_rows(desk, reader, round_id, version)
    start, wanted = max(0, after), paging.checked_limit(limit) + 1
    numbered = list(enumerate(rows, 1))[start : start + wanted]
    page = paging.page(numbered, limit, lambda each: each[0], lambda each: each[1])
    return {"round": found.id, "version": ranking.version, **page}


@get(
    "/rounds/{round_id:str}/rankings/{version:int}/own-sheets/{candidate:str}",
    summary="A candidate's votes, marks beside the medians, and distance to the cut, for its own unit and the office",
)
async def show_own_sheet(
    request: AnyRequest, round_id: FromPath[str], version: FromPath[int], candidate: FromPath[str]
) -> Json:
    desk = desk_of(request)
    reader = await desk.door.require(request, *own_sheets.READERS)
    return await own_sheets.own_sheet(desk, reader, round_id, version, candidate)


ROUTES = [show_preview, show_comparison, show_rows, list_own_sheets, show_own_sheet]

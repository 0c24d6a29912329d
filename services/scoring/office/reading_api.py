"""Lists of the office for programs: whose turn it is in a meeting, paper sheets, conflicts found and declared."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.serialization import encode_json

from services.scoring import paging
from services.scoring.desk import desk_of
from services.scoring.office import reading, reading_store
from services.shared.errors import CommonReason, Refusal
from services.shared.live import live_of
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]
_MEETING = (Role.EXPERT, Role.ADMINISTRATOR, Role.AUDITOR)


@get("/rounds/{round_id:str}/turn", summary="Whose turn it is in the review meeting; also as a stream of events")
async def show_turn(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """Like `meeting`, but told also before one was begun; what the panel's tablets and the chair's page follow."""
    desk = desk_of(request)
    staff = await desk.door.require(request, *_MEETING)
    found = await desk.round(round_id)
    if not staff.has(Role.ADMINISTRATOR, Role.AUDITOR) and not found.is_panellist(staff.username):
        raise Refusal(CommonReason.FORBIDDEN, "The meeting is for its panel and the office.")

    async def read() -> bytes:
        return encode_json(await reading.turn(desk, await desk.round(found.id)))

    async def remaining() -> float:
        return await desk.door.remaining_s(request, *_MEETING)

    return await live_of(request).answer(request, f"turn {found.id}", read, remaining=remaining)


@get("/rounds/{round_id:str}/papers", summary="Sheets given out on paper, and where each stands")
async def list_papers(
    request: AnyRequest,
    round_id: FromPath[str],
    after: FromQuery[str] = "",
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
    expert: FromQuery[str] = "",
) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
    found = await desk.round(round_id)
    rows = await reading.paper_rows(desk, found, after, paging.checked_limit(limit) + 1, expert)
    return paging.page(rows, limit, lambda each: each.paper.code, _paper_json)


def _paper_json(row: reading.PaperRow) -> Json:
    paper = row.paper
    named = {"code": paper.code, "candidate": paper.candidate, "expert": paper.expert}
    return {**named, "issued_at": paper.issued_at, "state": row.state, "clerks": len(row.clerks)}


@get("/rounds/{round_id:str}/conflicts", summary="Conflicts that facts tell, and those that were declared")
async def list_conflicts(
    request: AnyRequest,
    round_id: FromPath[str],
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    """`found` are all that facts tell; `declared` is a page of what experts declared or the office set aside."""
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    told = [
        {"expert": each.expert, "candidate": each.card.candidate, "ties": each.ties, "on_panel": each.scores}
        for each in await reading.conflicts_found(desk, found)
    ]
    declared = await reading_store.declared(
        desk.pool, found.id, paging.checked_after(after), paging.checked_limit(limit) + 1
    )
    page = paging.page(declared, limit, lambda each: each["number"], dict)
    return {"round": found.id, "found": told, "declared": page["items"], "next": page["next"]}


ROUTES = [show_turn, list_papers, list_conflicts]

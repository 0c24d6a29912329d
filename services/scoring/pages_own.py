"""A unit's own sheets as pages: which of its candidates have one, and each beside the medians of its group.

For the applicants behind a candidate once the ranking is published, and for the office. What is foreign is answered
like what is not there. Reached from the public result pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from services.scoring import names, own_sheets, rankings, statistics_views, store
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.reasons import Reason
from services.scoring.result_views import Filter, page_of
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.staff import Staff

AnyRequest = Request[Any, Any, Any]


async def _newest(desk: Desk, round_: Round) -> int:
    """The newest published version; raises Refusal `unknown_ranking` before the first."""
    known = rankings.visible(await store.rankings(desk.pool, round_.id), sees_all=False)
    if not known:
        raise Refusal(Reason.UNKNOWN_RANKING, "Nothing is published of this round yet; own sheets follow the result.")
    return known[-1].version


def _page(request: AnyRequest, template: str, round_: Round, staff: Staff, **context: Any) -> Response[Any]:
    answer = pages_of(request).render(
        request, template, round=round_, staff=staff, names=names, numbers=statistics_views, **context
    )
    # It is the unit's own and must not stay in a shared machine's cache.
    answer.headers["cache-control"] = "no-store"
    return answer


@get("/results/{round_id:str}/units", include_in_schema=False)
async def show_own_sheets(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """The candidates whose sheet the reader may see."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *own_sheets.READERS)
    found = await desk.round(round_id)
    _, ranking, rows = await own_sheets.own_rows(desk, staff, found.id, await _newest(desk, found))
    wanted = Filter.of(request.query_params)
    return _page(
        request, "own_sheets.html", found, staff, ranking=ranking, page=page_of(rows, wanted.page), wanted=wanted
    )


@get("/results/{round_id:str}/units/{candidate:str}", include_in_schema=False)
async def show_own_sheet(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """One candidate: votes, marks beside the medians, distance to the cut; `sheet` is None for a selected one."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *own_sheets.READERS)
    found = await desk.round(round_id)
    version = await _newest(desk, found)
    try:
        told = await own_sheets.own_sheet(desk, staff, found.id, version, candidate)
    except Refusal as refusal:
        if refusal.reason is not Reason.STATISTICS_PENDING:
            raise
        told = {"row": None, "sheet": None}
    sheet = told["sheet"]
    marks, lowest, highest = statistics_views.own_marks([] if sheet is None else sheet["marks"])
    return _page(
        request,
        "own_sheet.html",
        found,
        staff,
        row=told["row"],
        sheet=sheet,
        version=version,
        marks=marks,
        lowest=lowest,
        highest=highest,
        criterion_titles=_titles(found),
    )


def _titles(round_: Round) -> dict[str, str]:
    return {each.id: each.title or each.id for each in round_.criteria}


ROUTES: Sequence[Any] = [show_own_sheets, show_own_sheet]

"""The helper's pages: the stations of a round, and the station itself, where one person after another votes unseen.

The page of a station signs people in with the helper's token, which its script renews by the session cookie and keeps
in memory; everything of a person is gone after the receipt or a minute without a touch.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from services.shared.errors import CommonReason, Refusal
from services.shared.pages import Pages
from services.shared.staff import Role, Staff
from services.voting import page_views
from services.voting.api_citizens import find
from services.voting.context import Context, ContextDependency
from services.voting.orders import ORDERS
from services.voting.stations import stations

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]


async def _helper(context: Context, request: AnyRequest) -> Staff | None:
    """The signed-in helper; None when the sign-in must be renewed first. Raises Refusal forbidden or staff_stale."""
    staff = await context.door.identify(request)
    if staff is None:
        if "renewed" in request.query_params:
            # Renewing did not help: going there again would lead back here for ever.
            raise Refusal(CommonReason.STAFF_STALE, "This account is not known to voting yet, or is disabled.")
        return None
    if not staff.has(Role.HELPER):
        raise Refusal(CommonReason.FORBIDDEN, "Stations are for helpers.")
    return staff


def _renew(path: str) -> Redirect:
    return Redirect(f"/sign-in/renew?next={quote(path + '?renewed=1')}", status_code=HTTP_303_SEE_OTHER)


@get("/rounds/{round_id:str}/stations")
async def show_stations(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    frozen = find(context, round_id)
    if await _helper(context, request) is None:
        return _renew(request.url.path)
    summary = page_views.round_summary(frozen, context.clock.now(), pages.translate(request))
    found = await stations.report(context.pool, frozen)
    return pages.render(request, "stations.html", round=summary, stations=found)


@get("/rounds/{round_id:str}/stations/{station:int}")
async def show_station(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    station: FromPath[int],
) -> Response[Any]:
    frozen = find(context, round_id)
    if await _helper(context, request) is None:
        return _renew(request.url.path)
    translate = pages.translate(request)
    # Every person gets another of the published orders: the page is loaded anew for each.
    return pages.render(
        request,
        "station.html",
        round=page_views.round_summary(frozen, context.clock.now(), translate),
        cards=[
            page_views.card_view(frozen, card, translate) for card in frozen.ordered_cards(secrets.randbelow(ORDERS))
        ],
        station=await stations.find(context.pool, frozen, station),
    )


station_pages_router = Router("/", route_handlers=[show_stations, show_station], include_in_schema=False)

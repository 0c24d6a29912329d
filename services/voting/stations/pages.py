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

from services.shared.pages import Pages
from services.shared.staff import Role
from services.voting import page_views
from services.voting.api_citizens import find
from services.voting.context import Context, ContextDependency
from services.voting.orders import ORDERS
from services.voting.rounds import FrozenRound, Phase
from services.voting.stations import stations
from services.voting.stations.stations import Station

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]


@get("/stations")
async def show_own_stations(context: ContextDependency, pages: PagesDependency, request: AnyRequest) -> Response[Any]:
    """Where a helper's day begins: straight on where there is only one station to go to, or one round."""
    await context.door.visitor(request, Role.HELPER)
    now, translate = context.clock.now(), pages.translate(request)
    going_on = [each for each in context.rounds.all() if each.phase(now) in (Phase.OPEN, Phase.SCHEDULED)]
    found = {each.id: await _open_stations(context, each) for each in going_on}
    used = [each for each in going_on if found[each.id]]
    if len(used) == 1:
        here = found[used[0].id]
        path = f"/rounds/{quote(used[0].id)}/stations"
        return Redirect(f"{path}/{here[0].station}" if len(here) == 1 else path, status_code=HTTP_303_SEE_OTHER)
    summaries = [page_views.round_summary(each, now, translate) for each in used]
    return pages.render(request, "station_rounds.html", rounds=summaries)


async def _open_stations(context: Context, frozen: FrozenRound) -> list[Station]:
    return [each for each in await stations.report(context.pool, frozen) if each.closed_at is None]


@get("/rounds/{round_id:str}/stations")
async def show_stations(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    frozen = find(context, round_id)
    await context.door.visitor(request, Role.HELPER)
    summary = page_views.round_summary(frozen, context.clock.now(), pages.translate(request))
    return pages.render(request, "stations.html", round=summary, stations=await _open_stations(context, frozen))


@get("/rounds/{round_id:str}/stations/{station:int}")
async def show_station(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    station: FromPath[int],
) -> Response[Any]:
    frozen = find(context, round_id)
    await context.door.visitor(request, Role.HELPER)
    place = await stations.find(context.pool, frozen, station)
    if place.closed_at is not None:
        return Redirect(f"/rounds/{quote(frozen.id)}/stations", status_code=HTTP_303_SEE_OTHER)
    translate = pages.translate(request)
    # Every person gets another of the published orders: the page is loaded anew for each.
    answer = pages.render(
        request,
        "station.html",
        normal_type=(request.query_params.get("large") or request.cookies.get("large")) == "0",
        round=page_views.round_summary(frozen, context.clock.now(), translate),
        cards=[
            page_views.card_view(frozen, card, translate) for card in frozen.ordered_cards(secrets.randbelow(ORDERS))
        ],
        station=place,
    )
    # Going back must not show the person before, nor what was typed.
    answer.headers["cache-control"] = "no-store"
    return answer


station_pages_router = Router(
    "/", route_handlers=[show_own_stations, show_stations, show_station], include_in_schema=False
)

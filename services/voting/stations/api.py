"""Calls of assisted voting: register a station, list them, close one, sign a person in at one.

No call shows what anybody picked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody

from services.shared.staff import Role
from services.voting.api_citizens import SessionForm, find, open_session
from services.voting.context import ContextDependency
from services.voting.stations import stations
from services.voting.stations.stations import StationForm

AnyRequest = Request[Any, Any, Any]


@get("/rounds/{round_id:str}/stations", summary="Stations with their ballots: never a candidate's count")
async def get_stations(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[list[dict[str, Any]]]:
    await context.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR, Role.HELPER)
    found = await stations.report(context.pool, find(context, round_id))
    return Response([msgspec.structs.asdict(each) for each in found], headers={"cache-control": "no-store"})


@post("/rounds/{round_id:str}/stations", status_code=201, summary="Register a station")
async def post_station(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[StationForm]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    return msgspec.structs.asdict(await stations.register(context.pool, find(context, round_id), staff, data))


@post("/rounds/{round_id:str}/stations/{station:int}/closings", status_code=201, summary="Close a station for good")
async def post_station_closing(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], station: FromPath[int]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    return msgspec.structs.asdict(await stations.close(context.pool, find(context, round_id), staff, station))


@post(
    "/rounds/{round_id:str}/stations/{station:int}/sessions", status_code=201, summary="Sign a person in at a station"
)
async def post_station_session(
    context: ContextDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    station: FromPath[int],
    data: JSONBody[SessionForm],
) -> dict[str, Any]:
    """The person proves the round's own identity here as on a phone of their own; the helper proves nothing."""
    helper = await context.door.require(request, Role.HELPER)
    frozen = find(context, round_id)
    place = await stations.find_open(context.pool, frozen, station)
    signed_in = await open_session(context, request, frozen, data, stations.assistance(context.settings, place, helper))
    return {"token": signed_in.token, "expires_at": datetime.fromtimestamp(signed_in.expires, UTC)}


stations_router = Router(
    "/api/voting/v1", route_handlers=[get_stations, post_station, post_station_closing, post_station_session]
)

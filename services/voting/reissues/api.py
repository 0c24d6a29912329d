"""Calls of reissues: one administrator proposes, another confirms."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody

from services.shared.staff import Role
from services.voting.api_citizens import find
from services.voting.context import ContextDependency
from services.voting.reissues import reissues
from services.voting.reissues.reissues import ReissueForm

AnyRequest = Request[Any, Any, Any]


@get("/rounds/{round_id:str}/reissues", summary="Votes granted anew: who signed and why, never whose")
async def get_reissues(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[list[dict[str, Any]]]:
    await context.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await reissues.listed(context.pool, find(context, round_id))
    return Response([msgspec.structs.asdict(each) for each in found], headers={"cache-control": "no-store"})


@post("/rounds/{round_id:str}/reissues", status_code=201, summary="Grant a vote anew: first signature")
async def post_reissue(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[ReissueForm]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    await context.door.require_fresh()
    return msgspec.structs.asdict(await reissues.propose(context.pool, find(context, round_id), staff, data))


@post(
    "/rounds/{round_id:str}/reissues/{reissue:uuid}/confirmations", status_code=201,
    summary="Grant a vote anew: second signature",
)  # fmt: skip
async def post_reissue_confirmation(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], reissue: FromPath[UUID]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    await context.door.require_fresh()
    await reissues.confirm(context.pool, find(context, round_id), staff, reissue)
    return {"reissue": reissue, "granted": True, "confirmed_by": staff.username}


reissues_router = Router("/api/voting/v1", route_handlers=[get_reissues, post_reissue, post_reissue_confirmation])

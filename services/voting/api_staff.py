"""What staff do here: watch a round, seal its tally, hold ballots and decide on them, forget a round."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream

from services.shared.errors import Refusal
from services.shared.live import live_of
from services.shared.staff import Role
from services.voting import forget, holds, tally_store
from services.voting.api_citizens import find
from services.voting.bundle import ballots_csv
from services.voting.context import Context, ContextDependency
from services.voting.holds import DecisionForm, HoldForm
from services.voting.reasons import Reason
from services.voting.results import state_document
from services.voting.rounds import FrozenRound
from services.voting.tally import seal_round
from services.voting.tally_store import Sealed

AnyRequest = Request[Any, Any, Any]
_WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)


@get(
    "/rounds/{round_id:str}/state",
    summary="Phase, turnout and ballots by state, also as a stream of events: never a candidate's count",
)
async def get_state(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    await context.door.require(request, *_WATCHERS)
    frozen = find(context, round_id)

    async def read() -> bytes:
        return await state_document(context, find(context, frozen.id))

    async def remaining() -> float:
        return await context.door.remaining_s(request, *_WATCHERS)

    return await live_of(request).answer(request, f"state {frozen.id}", read, remaining=remaining)


@post(
    "/rounds/{round_id:str}/seal", status_code=200,
    summary="Seal the tally after close and grace; again, as its next version, when ballots were decided on since",
)  # fmt: skip
async def post_seal(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    frozen = find(context, round_id)
    if not context.clock.trustworthy:
        raise Refusal(Reason.OVERLOADED, "This worker's clock is off; nobody can tell whether the vote is over.",
                      retry_after_s=5)  # fmt: skip
    content = await seal_round(context.pool, frozen, context.tally_key, context.clock.now(), staff.username, again=True)
    await context.rounds.refresh()
    counts = {name: getattr(content, name) for name in ("version", "ballots", "excluded", "turnout")}
    return {"round": frozen.id, **counts}


@get("/rounds/{round_id:str}/holds", summary="Holds of a round, without any count of candidates")
async def get_holds(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> list[dict[str, Any]]:
    await context.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    return [msgspec.structs.asdict(view) for view in await holds.list_holds(context.pool, find(context, round_id))]


@post("/rounds/{round_id:str}/holds", status_code=201, summary="Hold ballots under a suspicion")
async def post_hold(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], data: JSONBody[HoldForm]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    view = await holds.propose(context.pool, find(context, round_id), staff, data)
    return msgspec.structs.asdict(view)


@post("/rounds/{round_id:str}/holds/{hold:uuid}/decisions", status_code=201, summary="Decide: first signature")
async def post_decision(
    context: ContextDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    hold: FromPath[UUID],
    data: JSONBody[DecisionForm],
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    await context.door.require_fresh()
    await holds.decide(context.pool, find(context, round_id), staff, hold, data)
    return {"hold": hold, "decision": data.decision, "decided_by": staff.username}


@post("/rounds/{round_id:str}/holds/{hold:uuid}/confirmations", status_code=201, summary="Confirm: second signature")
async def post_confirmation(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str], hold: FromPath[UUID]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    await context.door.require_fresh()
    state = await holds.confirm(context.pool, find(context, round_id), staff, hold)
    return {"hold": hold, "state": state, "confirmed_by": staff.username}


@post("/rounds/{round_id:str}/forgettings", status_code=201, summary="Destroy the identity key: first signature")
async def post_forgetting(context: ContextDependency, request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    frozen = find(context, round_id)
    await forget.propose(context.pool, frozen, staff)
    return {"round": frozen.id, "proposed_by": staff.username}


@post("/rounds/{round_id:str}/forgettings/confirmations", status_code=201, summary="Second signature: key destroyed")
async def post_forgetting_confirmation(
    context: ContextDependency, request: AnyRequest, round_id: FromPath[str]
) -> dict[str, Any]:
    staff = await context.door.require(request, Role.ADMINISTRATOR)
    await context.door.require_fresh()
    frozen = find(context, round_id)
    await forget.confirm(context.pool, context.keys, frozen, staff)
    return {"round": frozen.id, "forgotten": True, "confirmed_by": staff.username}


@get("/rounds/{round_id:str}/ballots.csv", summary="Published ballots, where the rules publish them")
async def get_ballots(
    context: ContextDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    tally: FromQuery[int | None] = None,
    auditor: FromQuery[bool] = False,
) -> Stream:
    """As the tally of the published ranking counted them, or an earlier one; auditors may ask for any sealed one."""
    if auditor:
        await context.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    frozen = find(context, round_id)
    if frozen.rules.publication.ballots != "ballots" or not (frozen.published or auditor):
        raise Refusal(Reason.NOT_PUBLISHED, "The ballots of this round are not published.")
    known = await _readable_tally(context, frozen, tally, auditor)
    blocks = ballots_csv(context.pool, frozen, context.bundle_secret, known)
    # The first block before the answer begins: what fails until then is still an error.
    first = await anext(blocks)
    headers = {"cache-control": "no-store" if auditor else "no-cache"}
    return Stream(_with(first, blocks), media_type="text/csv; charset=utf-8", headers=headers)


async def _readable_tally(context: Context, frozen: FrozenRound, asked: int | None, auditor: bool) -> Sealed:
    """The tally that is asked for, else the newest that may be read; raises Refusal not_published."""
    if auditor:
        newest = await tally_store.newest(context.pool, frozen.number)
    else:
        newest = await tally_store.published(context.pool, frozen.number, frozen.message.tally_digest)
    found = newest
    if newest is not None and asked not in (None, newest.version):
        earlier = asked is not None and 0 < asked < newest.version
        found = await tally_store.version(context.pool, frozen.number, asked or 0) if earlier else None
    if found is None:
        raise Refusal(Reason.NOT_PUBLISHED, "No tally of this version is published in this round.")
    return found


async def _with(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for block in rest:
            yield block


staff_router = Router(
    "/api/voting/v1",
    route_handlers=[
        get_state, post_seal, get_holds, post_hold, post_decision, post_confirmation, post_forgetting,
        post_forgetting_confirmation, get_ballots,
    ],
)  # fmt: skip

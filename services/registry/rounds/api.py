"""Routes of rounds: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody

from services.registry import metrics
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import freezing, store, views
from services.registry.rounds.access import may_read_whole
from services.registry.rounds.opening import OPEN_FOR_MAX_S
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

FILES_MAX = 10_010


class LoadRound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /rounds`: file name → text; `open_for_s` opens voting and scoring at once for so long.

    `rehearsal` marks a round that is thrown away afterwards.
    """

    files: dict[str, str]
    open_for_s: int | None = None
    rehearsal: bool = False


class CloseRound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /rounds/{round}/close`; the reason is published."""

    reason: str


@post(f"{PREFIX}/rounds")
async def load_round(request: AnyRequest, data: JSONBody[LoadRound]) -> Response[dict[str, Any]]:
    """Freeze a round from its files: 201, or 200 where the same files were frozen before."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    if data.open_for_s is not None and not 1 <= data.open_for_s <= OPEN_FOR_MAX_S:
        raise Refusal(RegistryReason.BAD_ROUND, f"open_for_s must be from 1 to {OPEN_FOR_MAX_S} seconds.")
    if len(data.files) > FILES_MAX:
        raise Refusal(RegistryReason.BAD_ROUND, f"There are {len(data.files)} files; at most {FILES_MAX} fit.")
    wanted = freezing.Wanted(actor.staff, own.clock.now(), data.open_for_s, data.rehearsal)
    try:
        round_, made = await freezing.load(own.pool, data.files, wanted, own.settings)
    except Refusal as refusal:
        metrics.rounds_loaded_total.labels(refusal.reason.value).inc()
        raise
    return Response(views.loaded_facts(round_), status_code=201 if made else 200)


@get(f"{PREFIX}/rounds")
async def list_rounds(request: AnyRequest) -> dict[str, Any]:
    """Every round, newest first; not the rehearsals that were taken out of view."""
    own = parts(request)
    now = own.clock.now()
    return {"rounds": [views.line_facts(line, now) for line in await store.all_rounds(own.pool) if not line.removed_at]}


@get(f"{PREFIX}/rounds/{{round_id:str}}")
async def get_round(request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    """The public facts of a round: rules, windows, candidates, events."""
    own = parts(request)
    return views.public_facts(await store.require_round(own.pool, round_id), own.clock.now())


@post(f"{PREFIX}/rounds/{{round_id:str}}/close", status_code=200)
async def close_round(request: AnyRequest, round_id: FromPath[str], data: JSONBody[CloseRound]) -> dict[str, Any]:
    """Close voting before its time, with a reason that is published."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    closed = await freezing.close(own.pool, round_id, data.reason, actor.staff, own.clock.now())
    return views.public_facts(closed, own.clock.now())


@get(f"{PREFIX}/rounds/{{round_id:str}}/applications/{{candidate:str}}")
async def get_application(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]
) -> Response[dict[str, Any]]:
    """A candidate's public card; the whole application beside it for those who may read it."""
    own = parts(request)
    round_ = await store.require_round(parts(request).pool, round_id)
    card = next((each for each in round_.candidates if each.candidate == candidate), None)
    if card is None:
        raise Refusal(RegistryReason.UNKNOWN_CANDIDATE, f"There is no candidate {candidate[:64]!r} in {round_.round}.")
    answer = views.card_facts(card)
    staff = await own.door.identify(request)
    if may_read_whole(staff, round_.experts, card):
        answer["application"] = await store.application(own.pool, round_.round, candidate)
    return Response(answer, headers={"cache-control": "no-store" if staff else "no-cache"})


ROUTES = [load_round, list_rounds, get_round, close_round, get_application]

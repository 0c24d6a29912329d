"""Routes of rehearsals: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody

from services.registry.parts import PREFIX, parts
from services.registry.rehearsals import rehearsals
from services.registry.rounds import views
from services.shared.pages import AnyRequest
from services.shared.staff import Role


class NewRehearsal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of both calls: for how long voting and scoring are open, from now on."""

    minutes: int = rehearsals.MINUTES_DEFAULT


@post(f"{PREFIX}/rounds/{{round_id:str}}/rehearsals", status_code=201)
async def rehearse_round(
    request: AnyRequest, round_id: FromPath[str], data: JSONBody[NewRehearsal]
) -> dict[str, Any]:  # fmt: skip
    """Practise a frozen round: the same rules, candidates and panel, open at once."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    made = await rehearsals.of_round(own.pool, round_id, data.minutes, actor, own.settings, own.clock.now())
    return views.loaded_facts(made)


@post(f"{PREFIX}/calls/{{call_id:str}}/rehearsals", status_code=201)
async def rehearse_call(request: AnyRequest, call_id: FromPath[str], data: JSONBody[NewRehearsal]) -> dict[str, Any]:
    """Practise what a call will become, with made-up candidates."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    made = await rehearsals.of_call(own.pool, call_id, data.minutes, actor, own.settings, own.clock.now())
    return views.loaded_facts(made)


@post(f"{PREFIX}/rounds/{{round_id:str}}/removal", status_code=200)
async def remove_rehearsal(request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    """Take a rehearsal that is over out of every list; its address and its log stay."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    removed = await rehearsals.remove(own.pool, round_id, actor, own.clock.now())
    return views.public_facts(removed, own.clock.now())


ROUTES = [rehearse_round, rehearse_call, remove_rehearsal]

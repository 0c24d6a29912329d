"""Routes of partners' consents. The partner has no account: the link's token comes in a body, never in an address."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from services.registry.applications import access, consents
from services.registry.parts import PREFIX, parts
from services.shared.pages import AnyRequest

NO_STORE = {"cache-control": "no-store"}


class AskConsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /applications/{application}/consents`: the partner's credit code."""

    partner: str


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /consents`."""

    token: str


@post(f"{PREFIX}/applications/{{application:str}}/consents")
async def ask(request: AnyRequest, application: FromPath[str], data: JSONBody[AskConsent]) -> Response[consents.Link]:
    """A link for a partner, told once; the lead sends it."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    lifetime = timedelta(days=own.settings.consent_link_days)
    link = await consents.ask(
        own.pool, application, data.partner.strip(), staff, own.settings.public_origin, lifetime, now
    )
    return Response(link, status_code=201, headers=NO_STORE)


@post(f"{PREFIX}/consents", status_code=200)
async def look(request: AnyRequest, data: JSONBody[Token]) -> Response[dict[str, Any]]:
    """What the holder of a link is asked."""
    own = parts(request)
    return Response(await consents.look(own.pool, data.token, own.clock.now()), headers=NO_STORE)


@post(f"{PREFIX}/consents/answers", status_code=201)
async def answer(request: AnyRequest, data: JSONBody[consents.Answer]) -> Response[dict[str, Any]]:
    """The partner's answer, once."""
    own = parts(request)
    return Response(await consents.give(own.pool, data, own.clock.now()), status_code=201, headers=NO_STORE)


ROUTES = [ask, look, answer]

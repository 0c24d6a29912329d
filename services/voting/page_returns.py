"""Which ways of signing in a round's pages offer, and the pages on which people come back from the ways that lead away.

An issuer's or WeChat's one-time code stands in the address of these pages because they put it there: the script takes
it off at once and sends it in a body. The pages themselves read nothing of the address, and nobody may keep them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency

from services.shared.errors import CommonReason, Refusal
from services.shared.pages import Pages
from services.voting.context import Context, ContextDependency
from services.voting.identity.compose import OIDC_RETURN, WECHAT_RETURN
from services.voting.rounds import FrozenRound

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]


class Ways(msgspec.Struct, frozen=True):
    """What a page offers: `wechat` is the address to go to, where the random state is still to be put at the end."""

    code: bool
    oidc: bool
    wechat: str


def ways(context: Context, frozen: FrozenRound) -> Ways:
    """The ways that can prove what this round asks for, of those that are set up here."""
    people = context.sign_in.people
    needs_id = people.needs_id(frozen)
    # With WeChat the phone is proven on the way back, where there is no field for name and ID.
    by_wechat = context.wechat is not None and not needs_id
    return Ways(
        code=people.takes_codes(frozen),
        oidc=context.oidc is not None and (context.oidc_verifies_ids or not needs_id),
        wechat=context.wechat.authorize_url() if context.wechat and by_wechat else "",
    )


def _page(pages: Pages, request: AnyRequest, way: str, *, is_set_up: bool) -> Response[str]:
    if not is_set_up:
        raise Refusal(CommonReason.NOT_FOUND, "Nobody comes back this way here.")
    answer = pages.render(request, "return.html", way=way)
    answer.headers["cache-control"] = "no-store"
    answer.headers["referrer-policy"] = "no-referrer"
    return answer


@get(OIDC_RETURN)
async def show_oidc_return(context: ContextDependency, pages: PagesDependency, request: AnyRequest) -> Response[str]:
    return _page(pages, request, "oidc", is_set_up=context.oidc is not None)


@get(WECHAT_RETURN)
async def show_wechat_return(context: ContextDependency, pages: PagesDependency, request: AnyRequest) -> Response[str]:
    return _page(pages, request, "wechat", is_set_up=context.wechat is not None)


return_pages_router = Router("/", route_handlers=[show_oidc_return, show_wechat_return], include_in_schema=False)

"""The big screen of a round: turnout and the time that is left, for a hall or a television. Nothing to touch.

It knows what `GET …/live` tells everybody: totals, never a candidate, a unit or a district.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from services.shared.pages import Pages
from services.shared.qr import qr_svg
from services.voting import page_views
from services.voting.api_citizens import find
from services.voting.context import Context, ContextDependency
from services.voting.rounds import FrozenRound

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]


@get("/rounds/{round_id:str}/screen")
async def show_screen(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[str]:
    frozen, now = find(context, round_id), context.clock.now()
    summary = page_views.round_summary(frozen, now, pages.translate(request))
    host, _, path = round_address(context, frozen).split("://")[-1].partition("/")
    return pages.render(
        request, "screen.html", round=summary, now_ms=int(now.timestamp() * 1000), address=[host, f"/{path}"]
    )


@get("/rounds/{round_id:str}/screen/qr.svg", sync_to_thread=False)
def get_qr(context: ContextDependency, round_id: FromPath[str]) -> Response[bytes]:
    """The way to the round's page, for phones in the hall."""
    picture = qr_svg(round_address(context, find(context, round_id)))
    return Response(picture, media_type="image/svg+xml", headers={"cache-control": "public, max-age=300"})


def round_address(context: Context, frozen: FrozenRound) -> str:
    return f"{context.settings.public_origin.rstrip('/')}/rounds/{quote(frozen.id)}"


screen_router = Router("/", route_handlers=[show_screen, get_qr], include_in_schema=False)

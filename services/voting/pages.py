"""The citizens' pages: the same domain calls as the API, in other clothes. Everything but voting works without scripts.

No page holds a phone number, a code, a token or a count; the receipt page tells a ballot's state and never a choice.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from litestar import Request, Response, Router, get
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect

from services.shared.errors import CommonReason, Refusal
from services.shared.pages import Pages, language
from services.voting import page_views
from services.voting.api_citizens import find, receipt_view
from services.voting.context import ContextDependency
from services.voting.identity.phones import MAINLAND
from services.voting.orders import ORDERS
from services.voting.page_pictures import picture_address
from services.voting.page_returns import ways
from services.voting.receipts import parse_receipt, receipt_text

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]
ORDER_COOKIE = "order"
_YEAR_S = 365 * 24 * 3600


@get("/")
async def show_home(context: ContextDependency, pages: PagesDependency, request: AnyRequest) -> Response[str]:
    grouped = page_views.home(context.rounds.all(), context.clock.now(), pages.translate(request))
    return pages.render(request, "home.html", **grouped)


@get("/rounds")
async def show_rounds() -> Redirect:
    return Redirect("/", status_code=302)


@get("/rounds/{round_id:str}")
async def show_round(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    level: FromQuery[str] = "",
    category: FromQuery[str] = "",
    q: FromQuery[str] = "",
    order: Annotated[int | None, QueryParameter(ge=0, le=63)] = None,
) -> Response[str]:
    """The cards in the device's own order, which stays: the page need not be re-arranged under the reader's eyes."""
    kept = _kept_order(request)
    own = secrets.randbelow(ORDERS) if kept is None else kept
    frozen, now = find(context, round_id), context.clock.now()
    shown = own if order is None else order

    def make() -> str:
        translate = pages.translate(request)
        view = page_views.round_page(frozen, now, translate, order=shown, level=level, category=category, words=q)
        regions = page_views.region_names(context.sign_in.people.regions, language(request), translate)
        return pages.text(request, "round.html", **view, regions=regions)

    is_filtered = bool(level or category or q)
    text = make() if is_filtered else frozen.pages.take(frozen.phase(now), (shown, *pages.look(request)), make)
    answer = pages.answer(request, text)
    if kept is None:
        secure = request.url.scheme == "https"
        answer.cookies.append(
            Cookie(key=ORDER_COOKIE, value=str(own), path="/", max_age=_YEAR_S, samesite="lax", secure=secure)
        )
    return answer


def _kept_order(request: AnyRequest) -> int | None:
    text = request.cookies.get(ORDER_COOKIE, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 and int(text) < ORDERS else None


@get("/rounds/{round_id:str}/candidates/{candidate:str}")
async def show_candidate(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    candidate: FromPath[str],
) -> Response[str]:
    frozen = find(context, round_id)
    number = frozen.numbers.get(candidate)
    if number is None:
        raise Refusal(CommonReason.NOT_FOUND, "There is no such candidate in this round.")
    translate = pages.translate(request)
    return pages.render(
        request,
        "candidate.html",
        round=page_views.round_summary(frozen, context.clock.now(), translate),
        card=page_views.card_view(frozen, frozen.by_number[number], translate),
    )


@get("/rounds/{round_id:str}/vote")
async def show_vote(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[str]:
    """Review, sign-in, submission and receipt: steps of one page, so that no code or token enters an address."""
    frozen = find(context, round_id)
    summary = page_views.round_summary(frozen, context.clock.now(), pages.translate(request))
    mainland_only = context.sign_in.people.regions == {MAINLAND}
    return pages.render(request, "vote.html", round=summary, ways=ways(context, frozen), mainland_only=mainland_only)


@get("/rounds/{round_id:str}/privacy")
async def show_privacy(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[str]:
    frozen = find(context, round_id)
    summary = page_views.round_summary(frozen, context.clock.now(), pages.translate(request))
    return pages.render(request, "privacy.html", round=summary, ways=ways(context, frozen))


@get("/receipts")
async def show_receipts(pages: PagesDependency, request: AnyRequest, receipt: FromQuery[str] = "") -> Response[Any]:
    """The look-up form; what looks like a receipt leads on to its page."""
    raw = parse_receipt(receipt) if receipt else None
    if raw is not None:
        return Redirect(f"/receipts/{receipt_text(raw)}", status_code=302)
    return pages.render(request, "receipts.html", wrong=receipt[:40], status=422 if receipt else 200)


@get("/receipts/{receipt:str}")
async def show_receipt(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, receipt: FromPath[str]
) -> Response[str]:
    view = await receipt_view(context, receipt)
    frozen = find(context, view["round"])
    translate = pages.translate(request)
    raw = parse_receipt(receipt) or b""
    page = page_views.receipt_page(view, page_views.grouped_receipt(receipt_text(raw)), translate)
    summary = page_views.round_summary(frozen, context.clock.now(), translate)
    picture = picture_address(context, raw, frozen.number, view["recorded_at"], language(request))
    return pages.render(request, "receipt.html", page=page, round=summary, picture=picture)


@get("/design")
async def show_design(pages: PagesDependency, request: AnyRequest) -> Response[str]:
    return pages.render(request, "design.html")


pages_router = Router(
    "/",
    route_handlers=[
        show_home,
        show_rounds,
        show_round,
        show_candidate,
        show_vote,
        show_privacy,
        show_receipts,
        show_receipt,
        show_design,
    ],
    include_in_schema=False,
)

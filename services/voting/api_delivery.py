"""What others tell and ask about codes on their way: providers' delivery reports, and the hotline."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

import msgspec
from litestar import Request, Response, Router, post
from litestar.params import FromPath, JSONBody

from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role
from services.voting import hotline, metrics
from services.voting.api_citizens import find
from services.voting.context import ContextDependency
from services.voting.delivery import store
from services.voting.reasons import Reason

AnyRequest = Request[Any, Any, Any]


class HotlineForm(msgspec.Struct):
    round: str
    phone: str


@post("/delivery/{provider:str}", status_code=200, summary="A provider's delivery reports")
async def post_reports(
    context: ContextDependency, request: AnyRequest, provider: FromPath[str]
) -> Response[dict[str, object]]:
    """The password stands in the header: providers are given an address of the form https://reports:PASSWORD@…."""
    if not authorised(request.headers.get("authorization", ""), context.report_secret):
        raise Refusal(CommonReason.BAD_TOKEN, "Delivery reports need the password of this platform.")
    known = context.courier.providers.get(provider)
    if known is None:
        raise Refusal(Reason.UNKNOWN_PROVIDER, "No provider of this name delivers codes here.")
    try:
        reports = known.read_reports(await request.body())
    except ValueError:
        # The parser's own words would quote phone numbers.
        raise Refusal(Reason.BAD_FORM, "These are not this provider's delivery reports.") from None
    changed = await store.apply_reports(context.pool, provider, reports)
    for outcome, count in zip((metrics.Arrived.DELIVERED, metrics.Arrived.FAILED), changed, strict=True):
        metrics.delivery_reports_total.labels(provider, outcome).inc(count)
    return Response(known.report_answer)


@post("/hotline", status_code=200, summary="Was a code sent, and did it arrive: never whether somebody voted")
async def post_hotline(
    context: ContextDependency, request: AnyRequest, data: JSONBody[HotlineForm]
) -> Response[dict[str, Any]]:
    staff = await context.door.require(request, Role.OPERATOR)
    frozen = find(context, data.round)
    codes = await hotline.look_up(
        context.pool, context.sign_in.people, frozen, data.phone, staff.username,
        context.settings.hotline_lookups_per_hour,
    )  # fmt: skip
    return Response({"codes": [msgspec.structs.asdict(code) for code in codes]}, headers={"cache-control": "no-store"})


def authorised(header: str, secret: bytes | None) -> bool:
    """Whether `Basic` (any user) or `Bearer` carries the password; never without one configured."""
    scheme, _, value = header.partition(" ")
    shown = value.strip().encode()
    if scheme.lower() == "basic":
        try:
            shown = base64.b64decode(shown, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return secret is not None and hmac.compare_digest(shown, secret)


delivery_router = Router("/api/voting/v1", route_handlers=[post_reports, post_hotline])

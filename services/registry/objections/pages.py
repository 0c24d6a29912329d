"""Public pages of objections: the form, and what a receipt leads to. Without script all but the proof of work runs."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.enums import MediaType
from litestar.params import FromPath, URLEncodedBody

from services.registry.calendar import store as calendars
from services.registry.lists import store as lists
from services.registry.objections import office, views
from services.registry.objections.rules import GROUND_NAMES, TEXT_MAX, TEXT_MIN, Filing
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest

FORM = "/notices/{round_id:str}/objection"
# What is wrong with the form itself is told on it, with what was typed still there.
_ON_FORM = (RegistryReason.BAD_OBJECTION, RegistryReason.CHALLENGE_REQUIRED, RegistryReason.CHALLENGE_FAILED)


class ObjectionForm(msgspec.Struct, frozen=True):
    kind: str = ""
    ground: str = ""
    candidate: str = ""
    text: str = ""
    name: str = ""
    phone: str = ""
    altcha: str = ""


class LookUp(msgspec.Struct, frozen=True):
    receipt: str = ""


@get(FORM)
async def form_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """The form, and the field that a receipt is typed into."""
    round_ = await rounds.require_round(parts(request).pool, round_id)
    return await _form(request, round_, ObjectionForm(kind="named"), "")


@post(FORM)
async def file_with_form(request: AnyRequest, round_id: FromPath[str], data: URLEncodedBody[ObjectionForm]) -> Any:
    """Take the objection and go on to its receipt."""
    own = parts(request)
    round_ = await rounds.require_round(own.pool, round_id)
    fields = {**msgspec.structs.asdict(data), "candidate": data.candidate or None}
    try:
        filing = msgspec.convert(fields, Filing)
    except msgspec.ValidationError:
        return await _form(request, round_, data, RegistryReason.BAD_OBJECTION)
    try:
        receipt = await own.intake.file(round_.round, filing, own.address(request))
    except Refusal as refusal:
        if refusal.reason not in _ON_FORM:
            raise
        return await _form(request, round_, data, refusal.reason)
    return _go(f"/notices/{round_.round}/objection/{receipt}?new=1")


@post(f"{FORM}/receipt")
async def look_up(request: AnyRequest, round_id: FromPath[str], data: URLEncodedBody[LookUp]) -> Response[Any]:
    """From a typed receipt to its page."""
    found = await office.find_public(parts(request).pool, data.receipt)
    return _go(f"/notices/{found.round}/objection/{found.receipt}")


@get(f"{FORM}/{{receipt:str}}")
async def receipt_page(request: AnyRequest, round_id: FromPath[str], receipt: FromPath[str]) -> Response[Any]:
    """State and reply."""
    own = parts(request)
    found = await office.find_public(own.pool, receipt)
    facts = views.public_json(found, await calendars.load(own.pool), own.clock.now())
    page = own.pages.render(
        request, "notice_receipt.html", objection=facts, timezone=found.timezone,
        new="new" in request.query_params, contact=own.settings.hotline,
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


async def _form(request: AnyRequest, round_: Round, typed: ObjectionForm, reason: str) -> Response[Any]:
    own = parts(request)
    known = await lists.versions(own.pool, round_.round)
    now = own.clock.now()
    open_now = [each for each in known if each.objections_open_at <= now < each.objections_close_at]
    if not known:
        raise Refusal(RegistryReason.UNKNOWN_NOTICE, "Nothing has been published for this round yet.")
    return own.pages.render(
        request, "notice_objection.html", status=422 if reason else 200, round=round_, newest=known[0],
        is_open=bool(open_now), typed=typed, reason=str(reason), grounds=GROUND_NAMES, now=now,
        closes_at=max((each.objections_close_at for each in open_now), default=None), text_min=TEXT_MIN,
        text_max=TEXT_MAX, contact=own.settings.hotline,
        challenge_url=f"{PREFIX}/rounds/{round_.round}/objections/challenge",
    )  # fmt: skip


def _go(path: str) -> Response[bytes]:
    headers = {"location": path, "cache-control": "no-store"}
    return Response(b"", status_code=303, media_type=MediaType.TEXT, headers=headers)


ROUTES = [form_page, file_with_form, look_up, receipt_page]

"""Routes of recommendation: parse, one domain call, reply."""

from decimal import Decimal
from typing import Any

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.applications import access
from services.registry.applications import store as applications
from services.registry.applications.records import Application
from services.registry.calls import calls, quotas, recommending, store, views
from services.registry.calls import recommendation_store as recommendations
from services.registry.calls.store import Call
from services.registry.documents import forms
from services.registry.documents.pdf import recommendation_page_pdf
from services.registry.documents.summary_xlsx import recommendation_summary_xlsx
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.printing import PDF, XLSX, document
from services.registry.reasons import RegistryReason
from services.registry.rounds.companions import Channel
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff
from services.shared.typesetting.version_code import version_code


class Ranked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT …/recommendations`: applications in order, the others with reasons, `version` as it was read."""

    ranked: list[str]
    version: int
    not_recommended: dict[str, str] = {}
    opinions: dict[str, str] = {}


class Send(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/recommendations/send`."""

    version: int


class NewExemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /calls/{call}/exemptions`; `unit` where a channel's units apply directly."""

    channel: str
    places: int
    reason: str
    unit: str | None = None


@get(f"{PREFIX}/calls/{{call_id:str}}/recommendations")
async def get_overview(
    request: AnyRequest, call_id: FromPath[str], after: FromQuery[str] = "", limit: FromQuery[int] = LIMIT_DEFAULT
) -> dict[str, Any]:
    """For the office, channel after channel: counts, who has not sent, who is left out, exemptions."""
    own = parts(request)
    staff = await own.door.require(request, Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)
    call = await _call(request, call_id)
    known = calls.checked(await store.files(own.pool, call)).channels
    following = [known[name] for name in sorted(known) if name > after][: checked_limit(limit) + 1]
    cut = page(following, limit, key=lambda channel: channel.channel)
    names = [channel.channel for channel in cut["items"]]
    sheets = await recommendations.sheets(own.pool, call.call, names)
    left_out = await recommendations.left_out(own.pool, call.call, names)
    return views.overview(call, cut["items"], sheets, left_out, staff, own.clock.now()) | {"next": cut["next"]}


@get(f"{PREFIX}/calls/{{call_id:str}}/channels/{{channel:str}}/recommendations")
async def get_recommendation(request: AnyRequest, call_id: FromPath[str], channel: FromPath[str]) -> dict[str, Any]:
    """A channel's applications with their ranks, places left, and what is possible next."""
    staff = await parts(request).door.require(request, *recommending.READERS)
    return await _answer(request, call_id, channel, staff)


@put(f"{PREFIX}/calls/{{call_id:str}}/channels/{{channel:str}}/recommendations", status_code=200)
async def put_recommendation(
    request: AnyRequest, call_id: FromPath[str], channel: FromPath[str], data: JSONBody[Ranked]
) -> dict[str, Any]:
    """Rank applications, and say of the others why they are not recommended."""
    own = parts(request)
    officer = await own.door.require(request, Role.CHANNEL_OFFICER)
    await recommending.put(
        own.pool, call_id, channel, data.ranked, data.not_recommended, data.opinions, data.version, officer,
        own.clock.now(),
    )  # fmt: skip
    return await _answer(request, call_id, channel, officer)


@post(f"{PREFIX}/calls/{{call_id:str}}/channels/{{channel:str}}/recommendations/send", status_code=200)
async def send_recommendation(
    request: AnyRequest, call_id: FromPath[str], channel: FromPath[str], data: JSONBody[Send]
) -> dict[str, Any]:
    """Hand the recommendation in; it is final."""
    own = parts(request)
    officer = await own.door.require(request, Role.CHANNEL_OFFICER)
    await recommending.send(own.pool, call_id, channel, data.version, officer, own.clock.now())
    return await _answer(request, call_id, channel, officer)


@post(f"{PREFIX}/calls/{{call_id:str}}/exemptions", status_code=201)
async def propose_exemption(
    request: AnyRequest, call_id: FromPath[str], data: JSONBody[NewExemption]
) -> dict[str, Any]:
    """Places beyond a quota, with a reason, by an officer of the channel or an administrator; another one confirms."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR, Role.CHANNEL_OFFICER)
    now = own.clock.now()
    made = await recommending.exempt(own.pool, call_id, data.channel, data.unit, data.places, data.reason, actor, now)
    return views.exemption_facts(await _call(request, call_id), made, actor, now)


@post(f"{PREFIX}/calls/{{call_id:str}}/exemptions/{{exemption:str}}/confirm", status_code=200)
async def confirm_exemption(request: AnyRequest, call_id: FromPath[str], exemption: FromPath[str]) -> dict[str, Any]:
    """The second signature of an exemption."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    now = own.clock.now()
    confirmed = await recommending.confirm_exemption(own.pool, call_id, exemption, actor, now)
    return views.exemption_facts(await _call(request, call_id), confirmed, actor, now)


@get(f"{PREFIX}/calls/{{call_id:str}}/channels/{{channel:str}}/summary.xlsx")
async def get_summary(request: AnyRequest, call_id: FromPath[str], channel: FromPath[str]) -> Response[bytes]:
    """The summary table (推荐汇总表), ready to print and stamp."""
    own = parts(request)
    staff = await own.door.require(request, *recommending.READERS)
    recommending.require_reader(staff, channel)
    call, found = await _call(request, call_id), await recommending.channel_of(own.pool, channel)
    content = await own.printer.make(recommendation_summary_xlsx, await _summary(request, call, found))
    return document(content, XLSX, f"recommendations-{call.call}-{channel}.xlsx", f"推荐汇总表-{found.name}.xlsx")


async def _summary(request: AnyRequest, call: Call, channel: Channel) -> forms.RecommendationSummary:
    own = parts(request)
    sheet = await recommendations.find(own.pool, call.call, channel.channel)
    rows = []
    for rank, application in enumerate(sheet.ranked, start=1):
        version = await applications.newest_version(own.pool, application)
        if version is not None:
            content = version.content
            partners = tuple(partner["name"] for partner in content["partners"])
            rows.append(
                forms.RecommendedRow(
                    rank, content["title"], content["lead"]["name"], partners, content["level"], content["category"],
                    Decimal(content["budget_total"]),
                )
            )  # fmt: skip
    code = version_code(msgspec.json.encode([call.call, channel.channel, sheet.version, sheet.ranked]))
    today = day_in(own.clock.now(), call.timezone)
    return forms.RecommendationSummary(
        call.title, channel.name, call.quotas.get(channel.kind, len(rows)), tuple(rows), today, code
    )


@get(f"{PREFIX}/applications/{{application:str}}/recommendation.pdf")
async def get_page(request: AnyRequest, application: FromPath[str]) -> Response[bytes]:
    """The recommendation page (推荐意见) of a ranked application, ready to print and stamp."""
    own = parts(request)
    staff = await own.door.require(request, *recommending.READERS)
    found = access.require_sight(staff, await applications.load(own.pool, application), application)
    recommending.require_reader(staff, found.channel)
    page = await _page(request, found)
    content = await own.printer.make(recommendation_page_pdf, page)
    return document(content, PDF, f"recommendation-{application}.pdf", f"推荐意见-{found.title}.pdf")


async def _page(request: AnyRequest, found: Application) -> forms.RecommendationPage:
    own = parts(request)
    call = await _call(request, found.call)
    sheet = await recommendations.find(own.pool, call.call, found.channel)
    version = await applications.newest_version(own.pool, found.application)
    if found.application not in sheet.ranked or version is None:
        raise Refusal(RegistryReason.WRONG_STAGE, "It is not ranked; only what is recommended has such a page.")
    granted = [
        each
        for each in await recommendations.exemptions(own.pool, call.call, found.channel)
        if each.confirmed_by and each.unit in (None, found.unit)
    ]
    quota, rank = call.quotas.get(found.channel_kind), sheet.ranked.index(found.application) + 1
    beyond = quota is not None and found.channel_kind != quotas.DIRECT_KIND and rank > quota
    day = day_in(sheet.sent_at or own.clock.now(), call.timezone)
    return forms.RecommendationPage(
        round_title=call.title, channel_name=found.channel_name, application=found.application, title=found.title,
        lead_name=found.unit_name, level=found.level, category=found.category, rank=rank,
        quota=quota if quota is not None else len(sheet.ranked),
        opinion=sheet.opinions.get(found.application, ""), recommended_on=day, version_code=version.version_code,
        exemption="；".join(each.reason for each in granted) if beyond else "",
    )  # fmt: skip


async def _call(request: AnyRequest, call_id: str) -> Call:
    call = await store.load(parts(request).pool, call_id)
    if call is None or call.announced_at is None:
        raise calls.unknown_call(call_id)
    return call


async def _answer(request: AnyRequest, call_id: str, channel_id: str, staff: Staff) -> dict[str, Any]:
    own = parts(request)
    recommending.require_reader(staff, channel_id)
    call, channel = await _call(request, call_id), await recommending.channel_of(own.pool, channel_id)
    return views.recommendation_facts(
        call, channel, await recommendations.find(own.pool, call.call, channel_id),
        await recommendations.entries(own.pool, call.call, channel_id),
        await recommendations.exemptions(own.pool, call.call, channel_id), staff, own.clock.now(),
    )  # fmt: skip


ROUTES = [
    get_overview, get_recommendation, put_recommendation, send_recommendation, propose_exemption, confirm_exemption,
    get_summary, get_page,
]  # fmt: skip

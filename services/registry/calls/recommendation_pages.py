"""Pages of recommendation: for officers their channel's ranking, for the office the overview with its exemptions."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.applications.stages import STAGE_NAMES
from services.registry.calls import calls, quotas, recommending, store, views
from services.registry.calls import recommendation_store as recommendations
from services.registry.documents.listing import Listing
from services.registry.office import entry
from services.registry.office.store import names
from services.registry.parts import parts
from services.shared.pages import AnyRequest
from services.shared.staff import Role
from services.shared.vocabulary import CATEGORIES, LEVELS


@get("/office/recommendations")
async def overview_page(request: AnyRequest) -> Response[Any]:
    """Channel after channel: who has sent, who is left out and why, exemptions; officers are led to their own."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    known = await entry.announced_calls(request)
    call = entry.chosen_call(request, known)
    if not staff.has(*entry.DESK):
        own_channel = [(each, f"/office/recommendations/{each.call}/{staff.channel}") for each in known]
        return own.pages.render(
            request, "office_channel_calls.html", staff=staff, calls=own_channel if staff.channel else [],
            phase=lambda each: views.phase(each, own.clock.now()),
        )  # fmt: skip
    facts: dict[str, Any] = {"channels": [], "left_out": [], "exemptions": []}
    if call is not None:
        channels = calls.checked(await store.files(own.pool, call)).channels
        sheets = await recommendations.sheets(own.pool, call.call, sorted(channels))
        left_out = await recommendations.left_out(own.pool, call.call, sorted(channels))
        facts = views.overview(
            call, [channels[name] for name in sorted(channels)], sheets, left_out, staff, own.clock.now()
        )
    direct = {each["channel"] for each in facts["channels"] if each["kind"] == quotas.DIRECT_KIND}
    units = {each["unit"]: each["unit_name"] for each in facts["left_out"] if each["channel"] in direct}
    channel_names = {each["channel"]: each["name"] for each in facts["channels"]}
    if call is not None and entry.is_export(request):
        return await entry.export(request, _listing(facts["left_out"], channel_names), call.timezone)
    return own.pages.render(
        request, "office_recommendations.html", staff=staff, calls=known, call=call, facts=facts,
        channel_names=channel_names,
        may_exempt=staff.has(Role.ADMINISTRATOR) and call is not None and views.takes_exemptions(call, own.clock.now()),
        units=units, people=await names(own.pool),
        address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(left_out: list[dict[str, Any]], channel_names: dict[str, str]) -> Listing:
    rows = [
        (channel_names[each["channel"]], each["title"], each["unit_name"], STAGE_NAMES[each["stage"]], each["reason"])
        for each in left_out
    ]
    return Listing("未推荐项目", ("推荐渠道", "项目名称", "申报单位", "阶段", "未推荐理由"), list(rows))


@get("/office/recommendations/{call_id:str}/{channel:str}")
async def channel_page(request: AnyRequest, call_id: FromPath[str], channel: FromPath[str]) -> Response[Any]:
    """A channel's applications: ranked by its officers, read by the office."""
    own = parts(request)
    staff = await entry.visitor(request, *recommending.READERS)
    recommending.require_reader(staff, channel)
    call, found = await store.load(own.pool, call_id), await recommending.channel_of(own.pool, channel)
    if call is None or call.announced_at is None:
        raise calls.unknown_call(call_id)
    facts = views.recommendation_facts(
        call, found, await recommendations.find(own.pool, call.call, channel),
        await recommendations.entries(own.pool, call.call, channel),
        await recommendations.exemptions(own.pool, call.call, channel), staff, own.clock.now(),
    )  # fmt: skip
    by_name = {each["application"]: each for each in facts["applications"]}
    return own.pages.render(
        request, "office_channel.html", staff=staff, call=call, facts=facts, levels=LEVELS, categories=CATEGORIES,
        ranked=[by_name[each] for each in facts["ranked"] if each in by_name],
        rest=[each for each in facts["applications"] if each["rank"] is None], stage_names=STAGE_NAMES,
        may_rank="recommendations" in facts["actions"], may_send="send" in facts["actions"],
        may_ask="exemptions" in facts["actions"],
        units={each["unit"]: each["unit_name"] for each in facts["applications"]},
        unit_quota=found.kind == quotas.DIRECT_KIND, now=own.clock.now(), phase=views.phase(call, own.clock.now()),
        reason_max=recommending.REASON_MAX, opinion_max=recommending.OPINION_MAX,
        people=await names(own.pool),
    )  # fmt: skip


ROUTES = [overview_page, channel_page]

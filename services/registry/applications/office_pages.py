"""The office's list of applications: an officer's area, or all of them, filtered, paged and exported."""

from typing import Any

from litestar import Response, get

from services.registry.applications import list_store, views
from services.registry.applications.list_store import Filters
from services.registry.applications.stages import STAGE_NAMES, Stage
from services.registry.documents.listing import Listing
from services.registry.office import entry
from services.registry.parts import parts
from services.registry.units import channel_store
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.vocabulary import CATEGORIES, LEVELS


@get("/office/applications")
async def applications_page(request: AnyRequest) -> Response[Any]:
    """The applications of a call that this person may see."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    calls = await entry.announced_calls(request)
    call = entry.chosen_call(request, calls)
    names = ("stage", "channel", "level", "category", "unit", "q", "after")
    wanted = Filters(**{name: entry.asked(request, name) for name in names})
    found = await list_store.lines(own.pool, call.call, staff, wanted, entry.size(request)) if call else []
    if call is not None and entry.is_export(request):
        chosen = set(entry.picked(request))
        lines = [views.line(each) for each in found if not chosen or each.application in chosen]
        return await entry.export(request, _listing(lines, call.timezone), call.timezone)
    cut = entry.cut(request, found, lambda each: each.application)
    return own.pages.render(
        request, "office_applications.html", staff=staff, calls=calls, call=call, cut=cut, levels=LEVELS,
        lines=[views.line(each) for each in cut.items], categories=CATEGORIES,
        stages={stage: name for stage, name in STAGE_NAMES.items() if stage is not Stage.DRAFT},
        channels=await channel_store.all_channels(own.pool) if staff.has(*entry.DESK) else [],
        asked=lambda name: entry.asked(request, name), address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(lines: list[dict[str, Any]], timezone: str) -> Listing:
    rows = [
        (
            each["title"], each["unit_name"], each["channel_name"], each["level_name"], each["category_name"],
            each["stage_name"], day_in(each["submitted_at"], timezone) if each["submitted_at"] else None,
            each["version_code"] or "", each["application"],
        )
        for each in lines
    ]  # fmt: skip
    headings = (
        "项目名称", "申报单位", "推荐渠道", "项目级别", "申报类别", "阶段", "提交日期", "版本码", "编号",
    )  # fmt: skip
    return Listing("申报项目", headings, list(rows))


ROUTES = [applications_page]

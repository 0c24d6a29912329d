"""The page of the official calendar: a year as it counts now, and the form that uploads one as it was published."""

from litestar import Response, get

from services.registry.calendar import store
from services.registry.calendar.api import YEAR_MAX, YEAR_MIN
from services.registry.calendar.days import Source
from services.registry.office.entry import asked, visitor
from services.registry.parts import parts
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Role

WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR, Role.REVIEWER)
SOURCES = {
    Source.UPLOADED: ("本机关上传", "done"), Source.PUBLISHED: ("国务院办公厅通知", "done"),
    Source.PROVISIONAL: ("还没有公布，暂按周末计算", "wait"),
}  # fmt: skip


@get("/admin/calendar")
async def calendar_page(request: AnyRequest) -> Response[str] | Response[bytes]:
    """A year's weekdays off and weekend days worked (`?year=`), and the years around it."""
    own = parts(request)
    staff = await visitor(request, *WATCHERS)
    this_year = day_in(own.clock.now(), "Asia/Shanghai").year
    text = asked(request, "year")
    year = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else this_year
    year = min(max(year, YEAR_MIN), YEAR_MAX)
    calendar = await store.load(own.pool)
    off, worked = calendar.exceptions(year)
    uploaded = calendar.years.get(year)
    return own.pages.render(
        request, "admin_calendar.html", staff=staff, year=year, this_year=this_year, off=off, worked=worked,
        uploaded=uploaded, source=SOURCES[calendar.source(year)], may_act=staff.has(Role.ADMINISTRATOR),
        years=[each for each in range(year - 2, year + 3) if YEAR_MIN <= each <= YEAR_MAX],
    )  # fmt: skip


ROUTES = [calendar_page]

"""The office's pages of projects: every project with what is due, and one project with everything done on it."""

from typing import Any
from uuid import uuid4

from litestar import Response, get
from litestar.params import FromPath

from services.registry.attachments import store as attachments
from services.registry.documents.listing import Listing
from services.registry.grants import access, reading, views
from services.registry.grants.money import ZERO
from services.registry.grants.records import KIND, State
from services.registry.office import entry
from services.registry.office.store import names
from services.registry.parts import parts
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.postgres import transaction
from services.shared.staff import Role
from services.shared.vocabulary import CATEGORIES, LEVELS

STATE_NAMES = {
    State.OPENED: "已立项", State.RUNNING: "实施中", State.RECTIFYING: "整改中", State.ACCEPTED: "验收合格",
    State.FAILED: "验收不合格", State.SETTLED: "已结项",
}  # fmt: skip


@get("/office/projects")
async def projects_page(request: AnyRequest) -> Response[Any]:
    """Projects of a round with their money and days left; officers see those of their channel."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    known = sorted(await rounds.all_rounds(own.pool), key=lambda each: each.round, reverse=True)
    wanted, state = entry.asked(request, "round"), entry.asked(request, "state")
    round_ = next((each for each in known if each.round == wanted), known[0] if known and not wanted else None)
    found = await reading.projects(
        own.pool, round_.round, *views.scope(staff), entry.asked(request, "after"), entry.EXPORT_MAX
    ) if round_ else []  # fmt: skip
    heads = [views.head(each, day_in(own.clock.now(), each.timezone)) for each in found]
    # A state follows from a project's rows, so that it is told apart here; a round has dozens of projects.
    heads = [each for each in heads if not state or each["state"] == state]
    if round_ is not None and entry.is_export(request):
        return await entry.export(request, _listing(heads))
    return own.pages.render(
        request, "office_projects.html", staff=staff, rounds=known, round=round_, state=state, levels=LEVELS,
        cut=entry.cut(request, heads, lambda each: each["candidate"]), states=STATE_NAMES,
        may_open=staff.has(Role.ADMINISTRATOR), address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(heads: list[dict[str, Any]]) -> Listing:
    rows = [
        (
            each["number"], each["title"], each["unit_name"], each["channel_name"], LEVELS.get(each["level"], ""),
            STATE_NAMES[each["state"]], each["granted"], each["paid"], each["acceptance_due"],
        )
        for each in heads
    ]  # fmt: skip
    headings = ("编号", "项目名称", "单位", "推荐渠道", "级别", "状态", "批准补助（元）", "已拨付（元）", "验收期限")
    return Listing("项目实施", headings, list(rows))


@get("/office/projects/{round_id:str}/{candidate:str}")
async def project_page(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """One project: money, bookings, inspections, targets, and what waits for a signature."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    async with transaction(own.pool) as connection:
        found = access.require_seen(staff, await reading.project(connection, round_id, candidate), candidate)
        whole = await reading.dossier(connection, found)
        files = await attachments.of(connection, KIND, found.object_id)
    today = day_in(own.clock.now(), found.timezone)
    facts = views.dossier(whole, files, staff, today)
    page = own.pages.render(
        request, "office_project.html", staff=staff, project=facts, today=today, levels=LEVELS, categories=CATEGORIES,
        new_id=lambda: str(uuid4()), people=await names(own.pool),
        files={each.attachment: each for each in files},
        line_names={each["line"]: each["name"] for each in facts["lines"]},
        target_names={each.target: each.text for each in whole.targets},
        totals={
            name: sum((each[name] for each in facts["lines"]), ZERO)
            for name in ("requested", "approved", "spent", "own_funds", "left")
        },
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


ROUTES = [projects_page, project_page]

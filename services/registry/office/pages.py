"""The office's inbox (`/office`): what waits for whoever is signed in, late first."""

from typing import Any

from litestar import Response, get

from services.registry.calendar import store as calendar
from services.registry.documents.listing import Listing
from services.registry.office import entry, store
from services.registry.office.tasks import PAGE_SIZE, Task, TaskKind, inbox
from services.registry.parts import parts
from services.registry.reviews.reviewing import DEPARTMENTS
from services.shared.pages import AnyRequest

KIND_NAMES = {
    TaskKind.UNIT_REGISTRATION: "单位登记待审核",
    TaskKind.UNIT_CHANGE: "单位变更待审核",
    TaskKind.RECOMMENDATION: "推荐待报送",
    TaskKind.EXEMPTION: "超名额待确认",
    TaskKind.REVIEW_CHECKLIST: "审查表待填写",
    TaskKind.REVIEW_DECISION: "初审待决定",
    TaskKind.JOINT_CHECK: "联审待回复",
    TaskKind.APPEAL: "复议待答复",
    TaskKind.OBJECTION_OWNER: "异议待分办",
    TaskKind.OBJECTION_DECISION: "异议待答复",
    TaskKind.OBJECTION_SECOND: "异议待第二人确认",
    TaskKind.PROJECT_GRANT: "补助方案待提出",
    TaskKind.PROJECT_PROPOSAL: "项目事项待签署",
    TaskKind.PROJECT_BOOKING: "支出待核对",
    TaskKind.PROJECT_INSPECTION: "检查待报告",
    TaskKind.PROJECT_FINDING: "整改待核实",
    TaskKind.PROJECT_ACCEPTANCE: "项目待验收",
    TaskKind.PROJECT_SETTLEMENT: "项目待结算",
}


@get("/office")
async def inbox_page(request: AnyRequest) -> Response[Any]:
    """What is due for this person's roles; auditors, for whom nothing waits, are led to the lists."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    now = own.clock.now()
    page = entry.asked(request, "page")
    found = inbox(
        await store.tasks(own.pool, staff, now), await calendar.load(own.pool), now, entry.asked(request, "kind"),
        entry.asked(request, "late") == "1", int(page) if page.isdecimal() and len(page) < 6 else 1,
        page_size=entry.EXPORT_MAX if entry.is_export(request) else PAGE_SIZE,
    )  # fmt: skip
    if entry.is_export(request):
        return await entry.export(request, _listing(found.tasks))
    return own.pages.render(
        request, "office_inbox.html", staff=staff, inbox=found, names=KIND_NAMES, departments=DEPARTMENTS, now=now,
        kind=entry.asked(request, "kind"), late=entry.asked(request, "late"),
        address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(tasks: list[Task]) -> Listing:
    rows = [
        (
            KIND_NAMES[each.kind], each.title, DEPARTMENTS.get(each.who, each.who), each.due_on, each.days_left,
            each.waiting,
        )
        for each in tasks
    ]  # fmt: skip
    return Listing("待办事项", ("事项", "名称", "单位或渠道", "到期日", "剩余工作日", "件数"), list(rows))


ROUTES = [inbox_page]

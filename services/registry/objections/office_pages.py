"""The office's pages of objections: what is open and due, entering what came on paper, handling one."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry import attachments
from services.registry.calendar import store as calendars
from services.registry.documents.listing import Listing
from services.registry.objections import office, store, views
from services.registry.objections.intake import KIND
from services.registry.objections.rules import GROUND_NAMES, OPEN_STATES, REPLY_MAX, TEXT_MAX, TEXT_MIN, ObjectionState
from services.registry.office import entry
from services.registry.office.store import colleagues, names
from services.registry.parts import parts
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Role

STATE_NAMES = {
    ObjectionState.RECEIVED: "已收到", ObjectionState.ASSIGNED: "办理中", ObjectionState.DECIDING: "等第二人确认",
    ObjectionState.UPHELD: "成立", ObjectionState.NOT_UPHELD: "不成立", ObjectionState.NOTED: "已记录",
}  # fmt: skip
KIND_NAMES = {"named": "实名", "sealed": "密封", "lead": "线索"}
MEDIUM_NAMES = {"online": "网上", "letter": "来信", "visit": "来访", "phone": "来电", "other": "其他"}
REMEDY_NAMES = {"none": "仅答复", "list_change": "调整名单", "new_ranking": "重新计算排名"}


@get("/office/objections")
async def objections_page(request: AnyRequest) -> Response[Any]:
    """Objections of a round without their texts; what concerns one's own unit or channel is left out."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.DESK)
    known = sorted(await rounds.all_rounds(own.pool), key=lambda each: each.round, reverse=True)
    wanted = entry.asked(request, "round")
    round_ = next((each for each in known if each.round == wanted), known[0] if known and not wanted else None)
    state = entry.asked(request, "state")
    lines: list[dict[str, Any]] = []
    cut = entry.Cut([], "", "")
    if round_ is not None:
        found = await store.page(
            own.pool, round_.round, state if state in set(ObjectionState) else "", entry.asked(request, "after"),
            entry.size(request), staff.unit, staff.channel,
        )  # fmt: skip
        calendar, now = await calendars.load(own.pool), own.clock.now()
        cut = entry.cut(request, found, lambda each: each.receipt)
        if entry.is_export(request):
            every = [views.line_json(each, calendar, now, staff) for each in found]
            return await entry.export(request, _listing(every))
        lines = [views.line_json(each, calendar, now, staff) for each in cut.items]
    return own.pages.render(
        request, "office_objections.html", staff=staff, rounds=known, round=round_, cut=cut, lines=lines, state=state,
        state_names=STATE_NAMES, kind_names=KIND_NAMES, medium_names=MEDIUM_NAMES, ground_names=GROUND_NAMES,
        may_act=staff.has(*office.OFFICE), people=await names(own.pool),
        address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _listing(lines: list[dict[str, Any]]) -> Listing:
    rows = [
        (
            each["receipt"], KIND_NAMES[each["kind"]], MEDIUM_NAMES[each["medium"]], GROUND_NAMES[each["ground"]],
            each["candidate_title"] or "整个名单", each["received_on"], each["due_on"], each["days_left"],
            STATE_NAMES[each["state"]], each["owner"],
        )
        for each in lines
    ]  # fmt: skip
    headings = ("回执", "方式", "来源", "事由", "涉及项目", "收到日期", "答复期限", "剩余工作日", "状态", "承办人")
    return Listing("异议办理", headings, list(rows))


@get("/office/objections/new/{round_id:str}")
async def offline_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """The form for what came by letter, visit or phone, or without a name."""
    own = parts(request)
    staff = await entry.visitor(request, *office.OFFICE)
    round_ = await rounds.require_round(own.pool, round_id)
    return own.pages.render(
        request, "office_objection_new.html", staff=staff, round=round_, grounds=GROUND_NAMES, text_min=TEXT_MIN,
        media={medium: name for medium, name in MEDIUM_NAMES.items() if medium != "online"}, kinds=KIND_NAMES,
        text_max=TEXT_MAX, today=day_in(own.clock.now(), round_.timezone),
    )  # fmt: skip


@get("/office/objections/{receipt:str}")
async def objection_page(request: AnyRequest, receipt: FromPath[str]) -> Response[Any]:
    """A whole objection without its objector; the read is logged."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.DESK)
    now = own.clock.now()
    found = await office.read(own.pool, receipt, staff, now)
    people = await colleagues(own.pool)
    page = own.pages.render(
        request, "office_objection.html", staff=staff,
        objection=views.office_json(found, await calendars.load(own.pool), now, staff),
        files=await attachments.of(own.pool, KIND, found.receipt), state_names=STATE_NAMES, kind_names=KIND_NAMES,
        medium_names=MEDIUM_NAMES, ground_names=GROUND_NAMES, remedy_names=REMEDY_NAMES, reply_max=REPLY_MAX,
        files_max=office.FILES_MAX, is_open=found.state in OPEN_STATES, may_act=staff.has(*office.OFFICE),
        people={each.staff: each.name for each in people},
        owners=[each for each in people if {Role.REVIEWER, Role.ADMINISTRATOR} & set(each.roles)],
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


ROUTES = [objections_page, offline_page, objection_page]

"""Pages of units for officers and administrators: who waits for approval, one unit with what would change."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.documents.listing import Listing
from services.registry.office import entry
from services.registry.parts import parts
from services.registry.units import channel_store, store, units
from services.registry.units.units import Unit, UnitLine, UnitState
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

STATE_NAMES = {
    UnitState.PENDING: "待审核", UnitState.APPROVED: "已通过", UnitState.REFUSED: "未通过", UnitState.CLOSED: "已停用",
}  # fmt: skip
_WAITING = "waiting"
_GUARDED_NAMES = {"name": "单位名称", "kind": "单位性质", "credit_code": "统一社会信用代码", "channel": "推荐渠道"}


@get("/office/units")
async def units_page(request: AnyRequest) -> Response[Any]:
    """Units by state; officers see those of their channel, and first of all those that wait."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    state = entry.asked(request, "state") if "state" in request.query_params else _WAITING
    channel = entry.asked(request, "channel") or None if staff.has(*entry.DESK) else staff.channel
    found = await store.list_units(
        own.pool, channel, state if state in set(UnitState) else None, entry.asked(request, "kind") or None,
        entry.asked(request, "after"), entry.size(request), waiting=state == _WAITING, q=entry.asked(request, "q"),
    )  # fmt: skip
    if entry.is_export(request):
        chosen = set(entry.picked(request))
        return await entry.export(request, _listing([each for each in found if not chosen or each.unit in chosen]))
    return own.pages.render(
        request, "office_units.html", staff=staff, cut=entry.cut(request, found, lambda each: each.unit), state=state,
        states={_WAITING: "待办理", **STATE_NAMES}, kinds=units.UNIT_KINDS, state_names=STATE_NAMES,
        may_decide={each.unit for each in found if _waits(each) and not units.conflict(staff, each.unit, each.channel)},
        channels=await channel_store.all_channels(own.pool) if staff.has(*entry.DESK) else [],
        asked=lambda name: entry.asked(request, name), address=lambda **changes: entry.address(request, **changes),
    )  # fmt: skip


def _waits(line: UnitLine) -> bool:
    return line.state == UnitState.PENDING or (line.state == UnitState.APPROVED and line.change_pending)


def _listing(found: list[UnitLine]) -> Listing:
    rows = [
        (
            each.name, units.UNIT_KINDS.get(each.kind, each.kind), each.credit_code, each.channel_name,
            STATE_NAMES[UnitState(each.state)], "是" if each.change_pending else "",
            day_in(each.created_at, "Asia/Shanghai"),
        )
        for each in found
    ]  # fmt: skip
    headings = ("单位名称", "单位性质", "统一社会信用代码", "推荐渠道", "状态", "有待审变更", "登记日期")
    return Listing("单位名单", headings, list(rows))


@get("/office/units/{unit:str}")
async def unit_page(request: AnyRequest, unit: FromPath[str]) -> Response[Any]:
    """A whole unit, what it asks to change beside what stands; that its people's names were read is logged."""
    own = parts(request)
    staff = await entry.visitor(request, *entry.EVERYBODY)
    found = await store.find(own.pool, unit) if "\0" not in unit else None
    if found is None or not units.may_see(staff, found.line.unit, found.line.channel):
        raise units.unknown(unit)
    await store.note_read(own.pool, found.line.unit, staff.staff, own.clock.now())
    names = {each.channel: each.name for each in await channel_store.all_channels(own.pool)}
    page = own.pages.render(
        request, "office_unit.html", staff=staff, unit=found, line=found.line, state_names=STATE_NAMES,
        kinds=units.UNIT_KINDS, actions=units.actions(staff, found), changes=_changes(found, names),
        is_own_channel=_blocked(staff, found),
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


def _blocked(staff: Staff, unit: Unit) -> bool:
    """Whether this person would decide, were it not their own unit or channel."""
    refusal = units.conflict(staff, unit.line.unit, unit.line.channel)
    return refusal is not None and staff.has(Role.ADMINISTRATOR, Role.CHANNEL_OFFICER)


def _changes(unit: Unit, channels: dict[str, str]) -> list[tuple[str, str, str, bool]]:
    """(field, as it is, as it is wanted, does it differ), of what needs an approval."""
    if unit.change is None:
        return []
    now = {name: str(getattr(unit.line, name)) for name in _GUARDED_NAMES}
    wanted = {**now, **unit.change.wanted}

    def told(name: str, value: str) -> str:
        return {"kind": units.UNIT_KINDS, "channel": channels}.get(name, {}).get(value, value)

    return [
        (title, told(name, now[name]), told(name, wanted[name]), wanted[name] != now[name])
        for name, title in _GUARDED_NAMES.items()
    ]


ROUTES = [units_page, unit_page]

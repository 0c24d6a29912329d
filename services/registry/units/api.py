"""Routes of units and channels: parse, one domain call, reply."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.units import channel_store, channels, store, units
from services.registry.units.admission import LOCAL
from services.registry.units.channels import ChannelLine, NewChannel
from services.registry.units.units import NewUnit, Unit, UnitChange, UnitDecision
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

NO_STORE = {"cache-control": "no-store"}
_OFFICE = (Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
_READERS = (*_OFFICE, Role.CHANNEL_OFFICER, Role.APPLICANT)


@post(f"{PREFIX}/units", status_code=201)
async def register_unit(request: AnyRequest, data: JSONBody[NewUnit]) -> Response[dict[str, Any]]:
    """Register a unit without signing in; its district approves it and hands out the first account."""
    own = parts(request)
    unit, version = await own.admission.register(data, own.address(request))
    answer = {"unit": unit, "state": units.UnitState.PENDING, "version": version}
    return Response(answer, status_code=201, headers=NO_STORE)


@get(f"{PREFIX}/units")
async def list_units(
    request: AnyRequest,
    channel: FromQuery[str] = "",
    unit_state: Annotated[str, QueryParameter(name="state")] = "",
    kind: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: FromQuery[int] = LIMIT_DEFAULT,
) -> dict[str, Any]:
    """Units by key; an officer sees those of their channel."""
    own = parts(request)
    staff = await own.door.require(request, *_OFFICE, Role.CHANNEL_OFFICER)
    asked: str | None = channel or None
    if not staff.has(*_OFFICE):
        asked = staff.channel
    size = checked_limit(limit)
    found = await store.list_units(own.pool, asked, unit_state or None, kind or None, after, size + 1)
    return page(found, size, lambda line: line.unit)


@get(f"{PREFIX}/units/{{unit:str}}")
async def get_unit(request: AnyRequest, unit: FromPath[str]) -> Response[dict[str, Any]]:
    """A whole unit; that somebody of the office read its people's names is logged."""
    own = parts(request)
    staff = await own.door.require(request, *_READERS)
    found = await _visible(request, staff, unit)
    if staff.unit != unit:
        await store.note_read(own.pool, unit, staff.staff, own.clock.now())
    return Response(_facts(found, staff), headers=NO_STORE)


@patch(f"{PREFIX}/units/{{unit:str}}", status_code=200)
async def change_unit(request: AnyRequest, unit: FromPath[str], data: JSONBody[UnitChange]) -> Response[dict[str, Any]]:
    """Facts and contact change at once; name, kind, credit code and channel when the district approves."""
    own = parts(request)
    staff = await own.door.require(request, Role.APPLICANT)
    if not staff.unit or staff.unit != unit:
        raise units.unknown(unit)
    now = own.clock.now()
    wanted = msgspec.structs.replace(
        data,
        **units.checked_guarded(data.guarded()),
        facts=data.facts and units.checked_facts(data.facts, now.astimezone(LOCAL).date()),
        contact=data.contact and units.checked_contact(data.contact),
    )
    await store.change(own.pool, unit, wanted, staff.staff, now)
    return Response(_facts(await _visible(request, staff, unit), staff), headers=NO_STORE)


@post(f"{PREFIX}/units/{{unit:str}}/decisions", status_code=201)
async def decide_unit(
    request: AnyRequest, unit: FromPath[str], data: JSONBody[UnitDecision]
) -> Response[dict[str, Any]]:
    """Approve or refuse what waits, or close the unit; approving a registration answers the first account's link."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR, Role.CHANNEL_OFFICER)
    _, link = await own.admission.decide(await _visible(request, staff, unit), data, staff)
    # Seen again by who decided: a change may have moved the unit out of their channel.
    found = await store.find(own.pool, unit)
    assert found is not None
    answer = {**_facts(found, staff), **({"link": link} if link else {})}
    return Response(answer, status_code=201, headers=NO_STORE)


async def _visible(request: AnyRequest, staff: Staff, unit: str) -> Unit:
    found = await store.find(parts(request).pool, unit)
    if found is None or not units.may_see(staff, found.line.unit, found.line.channel):
        raise units.unknown(unit)
    return found


def _facts(unit: Unit, staff: Staff) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(unit.line),
        "facts": unit.facts,
        "contact": unit.contact,
        "change": unit.change,
        "decisions": unit.decisions,
        "actions": units.actions(staff, unit),
    }


@get(f"{PREFIX}/channels")
async def list_channels(request: AnyRequest) -> dict[str, Any]:
    """Every channel; public, for whoever registers a unit names one."""
    return {"items": await channel_store.all_channels(parts(request).pool), "next": None}


@post(f"{PREFIX}/channels", status_code=201)
async def add_channel(request: AnyRequest, data: JSONBody[NewChannel]) -> ChannelLine:
    """Add a channel."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    made = await channel_store.add(own.pool, channels.checked(data), actor.staff, own.clock.now())
    if made is None:
        raise Refusal(RegistryReason.CHANNEL_EXISTS, f"Channel {data.channel[:64]!r} exists; choose another name.")
    return made


@post(f"{PREFIX}/channels/{{channel:str}}/close", status_code=200)
async def close_channel(request: AnyRequest, channel: FromPath[str]) -> ChannelLine:
    """Close a channel to new units; what came through it stays."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    closed = await channel_store.close(own.pool, channel, actor.staff, own.clock.now())
    if closed is None:
        raise channels.unknown(channel)
    return closed


ROUTES = [
    register_unit, list_units, get_unit, change_unit, decide_unit, list_channels, add_channel, close_channel,
]  # fmt: skip

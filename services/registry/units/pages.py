"""Pages of units: registering one without an account, and one's own unit with what waits for its district."""

from typing import Any

from litestar import Response, get

from services.registry.parts import PREFIX, parts
from services.registry.units import channel_store, store
from services.registry.units.admission import LOCAL
from services.registry.units.units import TEXT_MAX, actions, unknown
from services.shared.pages import AnyRequest
from services.shared.staff import Role
from services.shared.vocabulary import LEAD_KINDS, PARTNER_KINDS


@get("/apply/register")
async def register_page(request: AnyRequest) -> Response[Any]:
    """The form of a unit's registration; open to everybody."""
    own = parts(request)
    channels = [each for each in await channel_store.all_channels(own.pool) if each.closed_at is None]
    return own.pages.render(
        request, "apply_register.html", channels=channels, lead_kinds=LEAD_KINDS, partner_kinds=PARTNER_KINDS,
        text_max=TEXT_MAX, today=own.clock.now().astimezone(LOCAL).date(), contact=own.settings.hotline, prefix=PREFIX,
    )  # fmt: skip


@get("/apply/unit")
async def unit_page(request: AnyRequest) -> Response[Any]:
    """One's own unit: what is registered, what waits for approval, and the form that changes it."""
    own = parts(request)
    staff = await own.door.visitor(request, Role.APPLICANT)
    unit = await store.find(own.pool, staff.unit) if staff.unit else None
    if unit is None:
        raise unknown(staff.unit or "")
    page = own.pages.render(
        request, "apply_unit.html", staff=staff, unit=unit, may_change="change" in actions(staff, unit),
        channels=[each for each in await channel_store.all_channels(own.pool) if each.closed_at is None],
        kinds=LEAD_KINDS | PARTNER_KINDS, text_max=TEXT_MAX, prefix=PREFIX,
        today=own.clock.now().astimezone(LOCAL).date(),
    )  # fmt: skip
    page.headers["cache-control"] = "no-store"
    return page


ROUTES = [register_page, unit_page]

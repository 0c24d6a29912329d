"""Where applicants begin: the unit's applications with what is due, a call, and the page of a partner's consent.

The pages of one application are in `form_pages.py`. Every act on them is a call of the interface by `desk.js`.
"""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from services.registry.applications import access, drafting, list_store, rules, store, views
from services.registry.applications.stages import Stage
from services.registry.calendar import store as calendar
from services.registry.calls import store as calls
from services.registry.calls import views as call_views
from services.registry.calls.calls import unknown_call
from services.registry.parts import Parts, parts
from services.registry.reviews import store as reviews
from services.registry.reviews import views as review_views
from services.registry.staff import cookies
from services.registry.units import store as units
from services.registry.units.units import TEXT_MAX, UnitLine, UnitState
from services.shared.errors import SignInFirst
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS

LINES_MAX = 200
# What is missing is counted for so many drafts; a unit with more of them has another problem.
CHECKED_MAX = 20
# What a clerk chooses from at once; more are found by a part of their name.
UNITS_MAX = 200
_CLERKS = (Role.CHANNEL_OFFICER, *access.OFFICE)


@get("/apply")
async def home_page(request: AnyRequest) -> Response[Any]:
    """The unit's applications by call; for everybody else how to take part."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.identify(request)
    if staff is None and cookies.SESSION_COOKIE in request.cookies:
        raise SignInFirst
    open_calls = [call_views.line(each, now) for each in await calls.taking_applications(own.pool, now)]
    if staff is None or not staff.has(Role.APPLICANT):
        return own.pages.render(request, "apply_welcome.html", staff=staff, calls=open_calls)
    unit = await units.find(own.pool, staff.unit) if staff.unit else None
    lines = await _lines(own, staff, now) if staff.unit else []
    return own.pages.render(
        request, "apply.html", staff=staff, calls=open_calls, unit=unit, lines=lines, lead_kinds=LEAD_KINDS,
    )  # fmt: skip


async def _lines(own: Parts, staff: Staff, now: datetime) -> list[dict[str, Any]]:
    """The unit's applications with what is missing and until when something may be done."""
    found, checked = [], 0
    for line in await list_store.of_unit(own.pool, staff.unit or "", LINES_MAX):
        facts = {**msgspec.structs.asdict(line), "missing": None, "due_at": None, "days_left": None, "due_on": None}
        if line.stage in (*rules.EDITABLE, Stage.NOT_ACCEPTED) and checked < CHECKED_MAX:
            checked += 1
            facts |= await _due(own, line, now)
        found.append(facts)
    return found


async def _due(own: Parts, line: list_store.UnitLine, now: datetime) -> dict[str, Any]:
    if line.stage is Stage.NOT_ACCEPTED:
        review = await reviews.load(own.pool, line.application)
        appeal = review and review_views.appeal_facts(review, await calendar.load(own.pool))
        return {"due_on": appeal["until"] if appeal and appeal["filed_at"] is None else None}
    application = await store.load(own.pool, line.application)
    assert application is not None, "a line names an application"
    closes_at = line.closes_at
    if line.stage is Stage.COMPLETION:
        review = await reviews.load(own.pool, line.application)
        closes_at = review.completion_closes_at if review else None
    elif not rules.is_open(application, now):
        return {}
    missing = len(await drafting.problems(own.pool, application, now))
    return {"missing": missing, "due_at": closes_at, "days_left": views.days_left(closes_at, now)}


@get("/apply/calls/{call:str}")
async def call_page(request: AnyRequest, call: FromPath[str]) -> Response[Any]:
    """A call for whoever thinks of applying: windows, what is asked for, and the form that begins a draft."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.identify(request)
    if staff is None and cookies.SESSION_COOKIE in request.cookies:
        raise SignInFirst
    found = await calls.load(own.pool, call)
    if found is None or found.announced_at is None:
        raise unknown_call(call)
    unit = await units.find(own.pool, staff.unit) if staff and staff.has(Role.APPLICANT) and staff.unit else None
    phase = call_views.phase(found, now)
    clerk_units = await _clerk_units(request, staff) if staff and phase == "application" else []
    return own.pages.render(
        request, "apply_call.html", staff=staff, call=found, phase=phase, unit=unit, levels=LEVELS,
        categories=CATEGORIES, lead_kinds=LEAD_KINDS, days_left=views.days_left(found.application_closes_at, now),
        may_begin=unit is not None and phase == "application" and unit.line.kind in LEAD_KINDS
        and unit.line.state == "approved",
        clerk_units=clerk_units, sought=_sought(request), is_clerk=staff is not None and staff.has(*_CLERKS),
    )  # fmt: skip


def _sought(request: AnyRequest) -> str:
    """The part of a unit's name that a clerk looks for."""
    return request.query_params.get("unit", "").replace("\0", "").strip()[:TEXT_MAX]


async def _clerk_units(request: AnyRequest, staff: Staff) -> list[UnitLine]:
    """Units that this officer or member of the office may enter a paper form for (`drafting.begin`)."""
    if not staff.has(*_CLERKS):
        return []
    channel = None if staff.has(*access.OFFICE) else staff.channel or ""
    pool, sought = parts(request).pool, _sought(request)
    found = await units.list_units(pool, channel, UnitState.APPROVED, None, "", UNITS_MAX, q=sought)
    return [
        each
        for each in found
        if each.kind in LEAD_KINDS and (channel is not None or not access.has_conflict(staff, each.unit, each.channel))
    ]


@get("/apply/consent", sync_to_thread=False)
def consent_page(request: AnyRequest) -> Response[Any]:
    """Where a partner's link leads; the token behind its # never comes here."""
    return parts(request).pages.render(request, "apply_consent.html", contact=parts(request).settings.hotline)


ROUTES = [home_page, call_page, consent_page]

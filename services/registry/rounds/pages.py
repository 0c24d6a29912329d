"""Pages of administrators: the rounds, and one round's state on one page that `admin.js` keeps fresh.

What voting and scoring know is fetched by the script from their own interfaces; the registry's facts stand in the page
itself, so that it says something without script too.
"""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.lists import store as lists
from services.registry.parts import parts
from services.registry.rounds import store
from services.registry.staff.pages import renewal
from services.shared.errors import CommonReason, Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff
from services.shared.vocabulary import CATEGORIES, LEVELS

_WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)


async def _watcher(request: AnyRequest) -> Staff | None:
    """Who looks at the page: None where nobody is signed in; raises Refusal 403 for other roles."""
    staff = await parts(request).door.identify(request)
    if staff is not None and not staff.has(*_WATCHERS):
        raise Refusal(CommonReason.FORBIDDEN, "This page is for administrators, auditors and operators.")
    return staff


@get("/admin")
async def rounds_page(request: AnyRequest) -> Response[Any]:
    """Every round with its phase."""
    own = parts(request)
    staff = await _watcher(request)
    if staff is None:
        return renewal("/admin")
    now = own.clock.now()
    rounds = [(line, line.phase(now).value) for line in await store.all_rounds(own.pool)]
    return own.pages.render(request, "admin_rounds.html", staff=staff, rounds=rounds)


@get("/admin/rounds/{round_id:str}")
async def round_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """One round: facts and timeline from here, turnout and progress from the other services."""
    own = parts(request)
    staff = await _watcher(request)
    if staff is None:
        return renewal(request.url.path)
    round_ = await store.require_round(own.pool, round_id)
    now = own.clock.now()
    return own.pages.render(
        request, "admin_round.html", staff=staff, round=round_, phase=round_.phase(now).value, now=now,
        windows=round_.windows(), may_act=staff.has(Role.ADMINISTRATOR), levels=LEVELS, categories=CATEGORIES,
        versions=await lists.versions(own.pool, round_.round),
    )  # fmt: skip


ROUTES = [rounds_page, round_page]

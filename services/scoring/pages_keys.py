"""The page of observers' keys: who reads published results by a program, since when, and whether the key is in force.

Security administrators make and withdraw keys by forms that call `readers/api.py`; auditors look on. A key's secret is
in the answer that made it and nowhere else.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromQuery

from services.scoring import paging
from services.scoring.desk import desk_of, pages_of
from services.scoring.readers import store
from services.scoring.store import names_of
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
_NUMBER_MAX = 2**63 - 1


# No round is named by a dash.
@get("/results/-/keys", include_in_schema=False)
async def show_keys(request: AnyRequest, after: FromQuery[int] = 0) -> Response[Any]:
    """Every key in the order in which they were made, the withdrawn ones too, a page at a time."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR)
    start = min(max(0, after), _NUMBER_MAX)
    found = await store.keys(desk.pool, start, paging.LIMIT_DEFAULT + 1)
    page = paging.page(found, paging.LIMIT_DEFAULT, lambda each: each.number, lambda each: each)
    people = {name for each in page["items"] for name in (each.made_by, each.withdrawn_by) if name}
    answer = pages_of(request).render(
        request,
        "reader_keys.html",
        staff=staff,
        keys=page["items"],
        following=page["next"],
        after=start,
        people=await names_of(desk.pool, sorted(people)),
        may_act=staff.has(Role.SECURITY_ADMINISTRATOR),
    )
    answer.headers["cache-control"] = "no-store"
    return answer


ROUTES = [show_keys]

"""Who may open this service's pages: the signed-in person with one of the roles, or first the way to renew the sign-in.

Called by every page that is not public; the API has `StaffDoor.require`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from services.scoring.desk import Desk
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff, bearer

AnyRequest = Request[Any, Any, Any]


async def opened_by(desk: Desk, request: AnyRequest, *roles: Role) -> Staff | None:
    """Whoever is signed in; None when the sign-in must be renewed first. Raises Refusal 403 without such a role."""
    staff = await desk.door.identify(request)
    if staff is not None:
        if not staff.has(*roles):
            raise Refusal(CommonReason.FORBIDDEN, f"This page needs the role {' or '.join(sorted(roles))}.")
        return staff
    if desk.verifier.verify(bearer(request)) is not None:
        # A genuine token of an account unknown here: renewing would lead back here for ever.
        raise Refusal(CommonReason.STAFF_STALE, "This account is not known to scoring yet, or is disabled.")
    return None


def renew(request: AnyRequest) -> Redirect:
    """To the renewal of the sign-in, and back to the page that was asked for with its filters."""
    query = request.url.query
    asked = f"{request.url.path}?{query}" if query else request.url.path
    return Redirect(f"/sign-in/renew?next={quote(asked, safe='/')}", status_code=HTTP_303_SEE_OTHER)

"""Who may see a page of staff. The token of the cookie lasts five minutes: pages are sent to renew it and come back."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff
from services.voting.context import Context

AnyRequest = Request[Any, Any, Any]


async def signed_in(context: Context, request: AnyRequest, *roles: Role) -> Staff | None:
    """The member of staff, who has one of `roles`; None when the sign-in must be renewed first.

    Raises Refusal forbidden, or staff_stale for an account that voting does not know.
    """
    staff = await context.door.identify(request)
    if staff is None:
        if "renewed" in request.query_params:
            # Renewing did not help: going there again would lead back here for ever.
            raise Refusal(CommonReason.STAFF_STALE, "This account is not known to voting yet, or is disabled.")
        return None
    if not staff.has(*roles):
        raise Refusal(CommonReason.FORBIDDEN, f"This page needs the role {' or '.join(sorted(roles))}.")
    return staff


def renewal(path: str) -> Redirect:
    """To the registry, which renews the token by the session, or asks to sign in, and leads back to `path`."""
    return Redirect(f"/sign-in/renew?next={quote(path + '?renewed=1')}", status_code=HTTP_303_SEE_OTHER)

"""Pages of accounts: one's own, and everybody's for those who look after them. What they do is done by the interfaces.

A page shows state and the forms that fit it; `desk.js` sends them. Links and passwords `accounts.js` shows once.
"""

from typing import Annotated, Any
from urllib.parse import quote

from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter

from services.registry import paging
from services.registry.parts import Parts, parts
from services.registry.reasons import RegistryReason
from services.registry.staff import account_store, invitation_store, session_store, store, totp_store
from services.registry.staff.account_store import AccountFilter
from services.registry.staff.accounts import PLATFORM, canonical, is_username
from services.registry.staff.cookies import SESSION_COOKIE
from services.registry.staff.sessions import session_hash
from services.registry.units import channel_store
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

_READERS = (Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR)
_EVENTS_SHOWN = 30


def _shown(request: AnyRequest, template: str, **more: Any) -> Response[Any]:
    """A page that nobody may keep: it names people, and how their accounts stand."""
    page = parts(request).pages.render(request, template, roles=[role.value for role in Role], **more)
    page.headers["cache-control"] = "no-store"
    return page


@get("/account")
async def own_account_page(request: AnyRequest) -> Response[Any]:
    """One's own name, roles, sessions, password and second factor."""
    own, staff = parts(request), await parts(request).door.visitor(request)
    account = await store.account(own.pool, staff.staff)
    assert account is not None  # the door found it in the same table
    factor = await totp_store.find(own.pool, account.staff)
    current = session_hash(request.cookies.get(SESSION_COOKIE, ""))
    sessions = await session_store.of_staff(
        own.pool, account.staff, current, own.clock.now(), own.sessions.lifetime, own.sessions.idle
    )
    return _shown(
        request, "account.html", staff=staff, account=account, sessions=sessions,
        totp=bool(factor and factor.enrolled), totp_needed=own.sessions.second_factor.needed_by(account),
        done=request.query_params.get("done", ""),
        places=await account_store.place_names(own.pool, account.unit, account.channel),
    )  # fmt: skip


@get("/accounts")
async def accounts_page(
    request: AnyRequest,
    q: FromQuery[str] = "",
    role: FromQuery[str] = "",
    account_state: Annotated[str, QueryParameter(name="state")] = "",
    after: FromQuery[str] = "",
) -> Response[Any]:
    """Accounts by name, role and state; everything that is asked for stands in the address."""
    staff = await parts(request).door.visitor(request, *_READERS)
    known = account_state if account_state in _STATES else ""
    asked = AccountFilter(q.strip()[:100], role if role in list(Role) else "", known)
    own = parts(request)
    found = await account_store.find(own.pool, asked, after[:64], paging.LIMIT_DEFAULT + 1)
    listed = paging.page(found, paging.LIMIT_DEFAULT, lambda each: each.staff)
    return _shown(
        request, "accounts.html", staff=staff, accounts=listed["items"], following=listed["next"], asked=asked,
        total=await account_store.count(own.pool, asked), after=after, here="accounts", may_act=_may_act(staff),
    )  # fmt: skip


_STATES = ("active", "disabled", "without_factor")


def _may_act(staff: Staff) -> bool:
    return staff.has(Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)


# No username begins with a dash.
@get("/accounts/-/new")
async def new_account_page(request: AnyRequest) -> Response[Any]:
    """Invite somebody by a link, or make an account with a first password."""
    staff = await parts(request).door.visitor(request, Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)
    channels = await channel_store.all_channels(parts(request).pool)
    guarded = not staff.has(Role.SECURITY_ADMINISTRATOR)
    return _shown(
        request, "account_new.html", staff=staff, channels=channels, guarded=guarded, here="new", may_act=True
    )


@get("/accounts/-/invitations")
async def invitations_page(request: AnyRequest, after: FromQuery[int] = 0) -> Response[Any]:
    """Invitations that may still be accepted."""
    staff = await parts(request).door.visitor(request, *_READERS)
    own = parts(request)
    found = await invitation_store.open_invitations(own.pool, own.clock.now(), None, after, paging.LIMIT_DEFAULT + 1)
    listed = paging.page(found, paging.LIMIT_DEFAULT, lambda each: each.invitation)
    return _shown(
        request, "account_invitations.html", staff=staff, invitations=listed["items"], following=listed["next"],
        here="invitations", may_act=_may_act(staff),
        places=await account_store.place_names(
            own.pool, *(place for each in listed["items"] for place in (each.unit, each.channel))
        ),
    )  # fmt: skip


@get("/accounts/{username:str}")
async def account_page(request: AnyRequest, username: FromPath[str]) -> Response[Any]:
    """One account: what it may do, how it stands, what happened to it."""
    staff = await parts(request).door.visitor(request, *_READERS)
    own, name = parts(request), canonical(username)
    account = await store.account(own.pool, name) if is_username(name) else None
    if account is None:
        raise Refusal(RegistryReason.UNKNOWN_STAFF, f"There is no account {name[:64]!r}.")
    factor = await totp_store.find(own.pool, account.staff)
    return _shown(
        request, "account_of.html", staff=staff, account=account, totp=bool(factor and factor.enrolled),
        events=await account_store.events(own.pool, account.staff, _EVENTS_SHOWN),
        channels=await channel_store.all_channels(own.pool), here="", path_name=quote(account.username),
        places=await account_store.place_names(own.pool, account.unit, account.channel),
        **_allowed(own, staff, account.staff, account.roles),
    )  # fmt: skip


def _allowed(own: Parts, staff: Staff, name: str, roles: list[str]) -> dict[str, bool]:
    """What the page offers; the interfaces decide it once more."""
    guarded = bool({Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR} & set(roles))
    secure = staff.has(Role.SECURITY_ADMINISTRATOR)
    may_act = _may_act(staff) and name not in (PLATFORM, staff.staff) and (secure or not guarded)
    return {"may_act": may_act, "may_reset": may_act and secure, "guarded": not secure}


ROUTES = [own_account_page, accounts_page, new_account_page, invitations_page, account_page]

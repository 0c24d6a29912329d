"""Routes of sessions, passwords and second factors: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, JSONBody

from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.staff import cookies, passwords, session_store, store, totp_store
from services.registry.staff.accounts import Account
from services.registry.staff.devices import device_of
from services.registry.staff.second_factor import Enrolment, RecoveryCodes
from services.registry.staff.sessions import StaffToken, session_hash
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

NO_STORE = {"cache-control": "no-store"}


class SignIn(msgspec.Struct, frozen=True):
    """Body of `POST /sessions` and `POST /sessions/totp`; `totp` is a code of the second factor, or a recovery code."""

    username: str
    password: str
    totp: str | None = None


class FirstCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff/me/totp`."""

    totp: str


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff/me/password`."""

    current: str
    password: str


@post(f"{PREFIX}/sessions", status_code=201)
async def sign_in(request: AnyRequest, data: JSONBody[SignIn]) -> Response[StaffToken]:
    """Sign in with a username, a password and, where the account has one, a code of the second factor."""
    own = parts(request)
    opened = await own.sessions.sign_in(
        data.username, data.password, own.address(request),
        totp=data.totp or "", device=device_of(request.headers.get("user-agent", "")),
    )  # fmt: skip
    origin = own.settings.public_origin
    set_cookies = [
        cookies.session_cookie(opened.session, own.sessions.lifetime, origin),
        cookies.token_cookie(opened.token.token, origin),
    ]
    return Response(opened.token, status_code=201, cookies=set_cookies, headers=NO_STORE)


@post(f"{PREFIX}/sessions/totp", status_code=201)
async def start_totp(request: AnyRequest, data: JSONBody[SignIn]) -> Response[Enrolment]:
    """Start the enrolment of a second factor; the next sign-in with its code confirms it.

    Needs no session, for an account that must have a factor gets none without it; who has a factor gives its code.
    """
    own = parts(request)
    account = await own.sessions.authenticate(data.username, data.password, own.address(request))
    enrolment = await own.sessions.second_factor.start(account, (data.totp or "").strip())
    return Response(enrolment, status_code=201, headers=NO_STORE)


@post(f"{PREFIX}/sessions/renew", status_code=200)
async def renew(request: AnyRequest) -> Response[StaffToken]:
    """A fresh token for the session in the cookie."""
    own = parts(request)
    cookies.require_same_origin(request, own.settings.public_origin)
    renewed = await own.sessions.renew(request.cookies.get(cookies.SESSION_COOKIE, ""))
    if renewed is None:
        raise Refusal(RegistryReason.SESSION_ENDED, "Sign in again.")
    return _fresh(request, renewed[1])


def _fresh(request: AnyRequest, token: StaffToken) -> Response[StaffToken]:
    cookie = cookies.token_cookie(token.token, parts(request).settings.public_origin)
    return Response(token, cookies=[cookie], headers=NO_STORE)


@delete(f"{PREFIX}/sessions/current", status_code=204)
async def sign_out(request: AnyRequest) -> Response[None]:
    """End the session in the cookie."""
    own = parts(request)
    cookies.require_same_origin(request, own.settings.public_origin)
    await own.sessions.end(request.cookies.get(cookies.SESSION_COOKIE, ""))
    return Response(None, status_code=204, cookies=cookies.gone_cookies(own.settings.public_origin))


@get(f"{PREFIX}/sessions")
async def list_sessions(request: AnyRequest) -> Response[dict[str, Any]]:
    """One's own sessions that still live."""
    own = parts(request)
    staff = await own.door.require(request, *Role)
    items = await session_store.of_staff(
        own.pool, staff.staff, _current(request), own.clock.now(), own.sessions.lifetime, own.sessions.idle
    )
    return Response({"items": items, "next": None}, headers=NO_STORE)


@delete(f"{PREFIX}/sessions/others", status_code=200)
async def end_other_sessions(request: AnyRequest) -> Response[StaffToken]:
    """End every other session of one's own; tokens until now end too, and a fresh one is answered."""
    own = parts(request)
    staff = await own.door.require(request, *Role)
    account = await session_store.revoke_others(own.pool, staff.staff, _current(request), own.clock.now())
    return _fresh(request, own.sessions.token(account))


@delete(f"{PREFIX}/sessions/{{session:str}}", status_code=200)
async def end_session(request: AnyRequest, session: FromPath[str]) -> Response[StaffToken]:
    """End one session of one's own, with every token until now; a fresh token is answered."""
    own = parts(request)
    staff = await own.door.require(request, *Role)
    account = await session_store.revoke(own.pool, staff.staff, _named(session), own.clock.now())
    if account is None:
        raise Refusal(RegistryReason.UNKNOWN_SESSION, "You have no such open session; see GET /sessions.")
    return _fresh(request, own.sessions.token(account))


def _current(request: AnyRequest) -> bytes:
    return session_hash(request.cookies.get(cookies.SESSION_COOKIE, ""))


def _named(session: str) -> bytes:
    try:
        return bytes.fromhex(session)
    except ValueError:
        return b""


@get(f"{PREFIX}/staff/me")
async def get_me(request: AnyRequest) -> Response[dict[str, Any]]:
    """One's own account, and how its second factor stands."""
    own = parts(request)
    account = await _own_account(request, await own.door.require(request, *Role))
    factor = await totp_store.find(own.pool, account.staff)
    facts = {
        **msgspec.structs.asdict(account),
        "totp": bool(factor and factor.enrolled),
        "totp_needed": own.sessions.second_factor.needed_by(account),
    }
    return Response(facts, headers=NO_STORE)


@post(f"{PREFIX}/staff/me/totp", status_code=201)
async def confirm_totp(request: AnyRequest, data: JSONBody[FirstCode]) -> Response[RecoveryCodes]:
    """Let the second factor that was started count, given its first code; the recovery codes are told once."""
    own = parts(request)
    account = await _own_account(request, await own.door.require(request, *Role))
    codes = await own.sessions.second_factor.confirm(account, data.totp.strip())
    return Response(RecoveryCodes(codes), status_code=201, headers=NO_STORE)


@post(f"{PREFIX}/staff/me/password", status_code=200)
async def change_password(request: AnyRequest, data: JSONBody[NewPassword]) -> Response[StaffToken]:
    """Change one's own password, given the old one; every other session ends."""
    own = parts(request)
    staff = await own.door.require(request, *Role)
    if weak := passwords.weakness(data.password, staff.username):
        raise Refusal(RegistryReason.BAD_STAFF, weak)
    account = await own.sessions.authenticate(staff.username, data.current, own.address(request))
    session = request.cookies.get(cookies.SESSION_COOKIE, "")
    return _fresh(request, await own.sessions.change_password(account, data.password, session))


async def _own_account(request: AnyRequest, staff: Staff) -> Account:
    account = await store.account(parts(request).pool, staff.staff)
    if account is None:
        raise Refusal(RegistryReason.UNKNOWN_STAFF, "Your account is not known any longer.")
    return account


ROUTES = [
    sign_in, start_totp, renew, sign_out, list_sessions, end_other_sessions, end_session, get_me, confirm_totp,
    change_password,
]  # fmt: skip

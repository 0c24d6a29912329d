"""Routes of sessions and accounts: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, JSONBody

from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.staff import cookies, passwords, store
from services.registry.staff.accounts import PLATFORM, Account, NewStaff, canonical, checked, is_username
from services.registry.staff.sessions import StaffToken
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

NO_STORE = {"cache-control": "no-store"}


class SignIn(msgspec.Struct, frozen=True):
    """Body of `POST /sessions`; `totp` is accepted and not yet asked for."""

    username: str
    password: str
    totp: str | None = None


@post(f"{PREFIX}/sessions", status_code=201)
async def sign_in(request: AnyRequest, data: JSONBody[SignIn]) -> Response[StaffToken]:
    """Sign in with a username and a password."""
    own = parts(request)
    opened = await own.sessions.sign_in(data.username, data.password, own.address(request))
    origin = own.settings.public_origin
    set_cookies = [
        cookies.session_cookie(opened.session, own.sessions.lifetime, origin),
        cookies.token_cookie(opened.token.token, origin),
    ]
    return Response(opened.token, status_code=201, cookies=set_cookies, headers=NO_STORE)


@post(f"{PREFIX}/sessions/renew", status_code=200)
async def renew(request: AnyRequest) -> Response[StaffToken]:
    """A fresh token for the session in the cookie."""
    own = parts(request)
    cookies.require_same_origin(request, own.settings.public_origin)
    renewed = await own.sessions.renew(request.cookies.get(cookies.SESSION_COOKIE, ""))
    if renewed is None:
        raise Refusal(RegistryReason.SESSION_ENDED, "Sign in again.")
    token = renewed[1]
    return Response(token, cookies=[cookies.token_cookie(token.token, own.settings.public_origin)], headers=NO_STORE)


@delete(f"{PREFIX}/sessions/current", status_code=204)
async def sign_out(request: AnyRequest) -> Response[None]:
    """End the session in the cookie."""
    own = parts(request)
    cookies.require_same_origin(request, own.settings.public_origin)
    await own.sessions.end(request.cookies.get(cookies.SESSION_COOKIE, ""))
    return Response(None, status_code=204, cookies=cookies.gone_cookies(own.settings.public_origin))


@get(f"{PREFIX}/staff")
async def list_staff(request: AnyRequest) -> dict[str, list[Account]]:
    """Every account, without anything secret."""
    own = parts(request)
    await own.door.require(request, Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR)
    return {"staff": await store.all_accounts(own.pool)}


@post(f"{PREFIX}/staff", status_code=201)
async def add_staff(request: AnyRequest, data: JSONBody[NewStaff]) -> Response[dict[str, Any]]:
    """Make an account; a password that was left out is made and returned once."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)
    wanted = checked(data, actor)
    password = wanted.password or passwords.generate()
    password_hash = await own.sessions.passwords.hash(password)
    account = await store.create(own.pool, wanted, password_hash, actor.staff, own.clock.now())
    if account is None:
        raise Refusal(RegistryReason.STAFF_EXISTS, f"{wanted.username} exists; choose another username.")
    answer = msgspec.structs.asdict(account)
    if wanted.password is None:
        answer["password"] = password
    return Response(answer, status_code=201, headers=NO_STORE)


@post(f"{PREFIX}/staff/{{username:str}}/disable", status_code=200)
async def disable_staff(request: AnyRequest, username: FromPath[str]) -> Account:
    """Disable an account: its tokens and sessions count for nothing from now on."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)
    name = canonical(username)
    if name == PLATFORM:
        raise Refusal(RegistryReason.BUILT_IN, "The account platform belongs to the software and cannot be disabled.")
    account = await store.disable(own.pool, name, actor, own.clock.now()) if is_username(name) else None
    if account is None:
        raise Refusal(RegistryReason.UNKNOWN_STAFF, f"There is no account {name[:64]!r}.")
    return account


ROUTES = [sign_in, renew, sign_out, list_staff, add_staff, disable_staff]

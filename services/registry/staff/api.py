"""Routes of accounts: parse, one domain call, reply. Sessions and invitations have api modules of their own."""

from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.staff import invitation_api, passwords, session_api, store, totp_store
from services.registry.staff.accounts import (
    PLATFORM,
    Account,
    NewStaff,
    StaffChange,
    canonical,
    checked,
    is_username,
)
from services.shared.errors import CommonReason, Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

NO_STORE = {"cache-control": "no-store"}


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


@patch(f"{PREFIX}/staff/{{username:str}}", status_code=200)
async def change_staff(request: AnyRequest, username: FromPath[str], data: JSONBody[StaffChange]) -> Account:
    """Change name, roles, unit, channel, or whether the account is disabled; at the version that was read."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)
    name = canonical(username)
    if name == PLATFORM:
        raise Refusal(RegistryReason.BUILT_IN, "The account platform belongs to the software and cannot be changed.")
    account = await store.change(own.pool, name, data, actor, own.clock.now()) if is_username(name) else None
    if account is None:
        raise _unknown(name)
    return account


@delete(f"{PREFIX}/staff/{{username:str}}/totp", status_code=204)
async def remove_totp(request: AnyRequest, username: FromPath[str]) -> None:
    """Take away the second factor of somebody who lost it: a security administrator's business, never one's own."""
    own = parts(request)
    actor = await own.door.require(request, Role.SECURITY_ADMINISTRATOR)
    name = canonical(username)
    if name == actor.staff:
        raise Refusal(CommonReason.FORBIDDEN, "Somebody else must take away your second factor.")
    if not await totp_store.remove(own.pool, name, actor.staff, own.clock.now()):
        raise _unknown(name)


def _unknown(name: str) -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_STAFF, f"There is no such account or factor: {name[:64]!r}.")


ROUTES = [
    list_staff, add_staff, disable_staff, change_staff, remove_totp, *session_api.ROUTES, *invitation_api.ROUTES,
]  # fmt: skip

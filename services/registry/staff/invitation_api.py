"""Routes of invitations: parse, one domain call, reply. Accepting needs no sign-in: the link is the permission."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.staff import accounts, invitation_store, invitations, passwords
from services.registry.staff.accounts import Account
from services.registry.staff.invitations import Invitation, Link, NewInvitation, Purpose
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

NO_STORE = {"cache-control": "no-store"}
_INVITERS = (Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.CHANNEL_OFFICER)


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff/invitations/look`: what stands behind the # of the link."""

    token: str


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff/invitations/accept`; `username` where the invitation names none."""

    token: str
    password: str
    username: str = ""


@post(f"{PREFIX}/staff/invitations", status_code=201)
async def invite(request: AnyRequest, data: JSONBody[NewInvitation]) -> Response[Link]:
    """Invite somebody to an account; the link is told once and good for 7 days."""
    own = parts(request)
    actor = await own.door.require(request, *_INVITERS)
    wanted = invitations.checked(data, actor)
    token, now = invitations.new_token(), own.clock.now()
    number = await invitation_store.make(own.pool, wanted, invitations.hashed(token), actor, now)
    return _link(request, number, token)


@post(f"{PREFIX}/staff/{{username:str}}/invitations", status_code=201)
async def invite_to_new_password(request: AnyRequest, username: FromPath[str]) -> Response[Link]:
    """A link by which the owner of an account sets a new password."""
    own = parts(request)
    actor = await own.door.require(request, *_INVITERS)
    name, token = accounts.canonical(username), invitations.new_token()
    number = await invitation_store.renew_password(own.pool, name, invitations.hashed(token), actor, own.clock.now())
    return _link(request, number, token)


def _link(request: AnyRequest, number: int, token: str) -> Response[Link]:
    own = parts(request)
    link = Link(number, invitations.link_of(own.settings.public_origin, token), own.clock.now() + invitations.LIFETIME)
    return Response(link, status_code=201, headers=NO_STORE)


@get(f"{PREFIX}/staff/invitations")
async def list_invitations(
    request: AnyRequest, after: FromQuery[int] = 0, limit: FromQuery[int] = LIMIT_DEFAULT
) -> dict[str, Any]:
    """Invitations that may still be accepted; an officer sees those of their channel's units."""
    own = parts(request)
    actor = await own.door.require(request, *_INVITERS, Role.AUDITOR)
    size = checked_limit(limit)
    found = await invitation_store.open_invitations(own.pool, own.clock.now(), _channel_of(actor), after, size + 1)
    return page(found, size, lambda each: each.invitation)


@delete(f"{PREFIX}/staff/invitations/{{number:int}}", status_code=204)
async def withdraw_invitation(request: AnyRequest, number: FromPath[int]) -> None:
    """Let a link count no longer."""
    own = parts(request)
    actor = await own.door.require(request, *_INVITERS)
    if not await invitation_store.withdraw(own.pool, number, _channel_of(actor), actor.staff, own.clock.now()):
        raise Refusal(RegistryReason.UNKNOWN_INVITATION, f"There is no open invitation {number}.")


def _channel_of(actor: Staff) -> str | None:
    """None for the office; for an officer the channel their eyes end at."""
    office = actor.has(Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR)
    return None if office else actor.channel


@post(f"{PREFIX}/staff/invitations/look", status_code=200)
async def look_at_invitation(request: AnyRequest, data: JSONBody[Token]) -> Response[Invitation]:
    """What a link invites to."""
    own = parts(request)
    found = await invitation_store.look(own.pool, invitations.hashed(data.token), own.clock.now())
    if found is None:
        raise invitations.gone()
    return Response(found, headers=NO_STORE)


@post(f"{PREFIX}/staff/invitations/accept", status_code=201)
async def accept_invitation(request: AnyRequest, data: JSONBody[Acceptance]) -> Response[Account]:
    """Make the account, or set the new password, that a link invites to."""
    own = parts(request)
    token_hash = invitations.hashed(data.token)
    found = await invitation_store.look(own.pool, token_hash, own.clock.now())
    # Looked up before the password is hashed: hashing for strangers would be work for nothing.
    if found is None:
        raise invitations.gone()
    username = accounts.canonical(found.username or data.username)
    if found.purpose == Purpose.ACCOUNT and (wrong := accounts.mistake_in_username(username)):
        raise Refusal(RegistryReason.BAD_STAFF, wrong)
    if weak := passwords.weakness(data.password, username):
        raise Refusal(RegistryReason.BAD_STAFF, weak)
    password_hash = await own.sessions.passwords.hash(data.password)
    account = await invitation_store.accept(own.pool, token_hash, username, password_hash, own.clock.now())
    return Response(account, status_code=201, headers=NO_STORE)


ROUTES = [
    invite, invite_to_new_password, list_invitations, withdraw_invitation, look_at_invitation, accept_invitation,
]  # fmt: skip

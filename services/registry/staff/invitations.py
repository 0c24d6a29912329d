"""Invitations by link: what one may grant, and the link itself. Pure; rows are in `invitation_store.py`.

Invariant: the token stands in the link's fragment, which no browser sends to a server, and only its hash is stored.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from services.registry.reasons import RegistryReason
from services.registry.staff import accounts
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff

LIFETIME = timedelta(days=7)
PATH = "/sign-in/invitation"
_TOKEN_MAX = 100


class Purpose(StrEnum):
    """A link makes an account, or sets an existing account's password anew."""

    ACCOUNT = "account"
    PASSWORD = "password"


class NewInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /staff/invitations`; without `username` whoever accepts chooses one."""

    roles: list[str]
    username: str = ""
    name: str = ""
    unit: str = ""
    channel: str = ""


class Invitation(msgspec.Struct, frozen=True):
    """An invitation as the office sees it: everything but its link."""

    invitation: int
    purpose: str
    username: str
    name: str
    roles: list[str]
    unit: str
    channel: str
    invited_by: str
    invited_at: datetime
    expires_at: datetime


class Link(msgspec.Struct, frozen=True):
    """What the inviter passes on; the link is told once."""

    invitation: int
    link: str
    expires_at: datetime


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """What is stored of a token; a plain hash will do for 256 random bits."""
    return hashlib.sha256(token[:_TOKEN_MAX].encode()).digest()


def link_of(public_origin: str, token: str) -> str:
    return f"{public_origin.rstrip('/')}{PATH}#{token}"


def checked(wanted: NewInvitation, by: Staff) -> NewInvitation:
    """The invitation as it is to be stored; raises Refusal `bad_staff`, `bad_invitation` or 403.

    A channel officer invites applicants of a unit only; that the unit is of their channel, the store checks.
    """
    stand_in = accounts.NewStaff(wanted.username or "invited", wanted.roles, wanted.name, wanted.unit, wanted.channel)
    account = accounts.checked(stand_in, by)
    if Role.APPLICANT in account.roles and not account.unit:
        raise Refusal(RegistryReason.BAD_INVITATION, "unit is missing; an applicant acts for a unit.")
    if Role.CHANNEL_OFFICER in account.roles and not account.channel:
        raise Refusal(RegistryReason.BAD_INVITATION, "channel is missing; an officer acts for a channel.")
    if not by.has(Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR) and account.roles != [Role.APPLICANT]:
        raise Refusal(CommonReason.FORBIDDEN, "Officers invite applicants only; ask the committee office for others.")
    return NewInvitation(
        roles=list(account.roles),
        username=account.username if wanted.username else "",
        name=wanted.name.strip(),
        unit=account.unit,
        channel=account.channel,
    )


def gone() -> Refusal:
    """The one answer to a link that is unknown, used, withdrawn or too old."""
    return Refusal(
        RegistryReason.INVITATION_GONE, "The link was used, withdrawn or is older than 7 days; ask for a new one."
    )

"""Who is staff and what they may do, from this service's own copy of `registry.staff`.

The registry checks the same claims against its accounts themselves. A request is authorised by `require(request,
roles)`, a page by `visitor`; acts that need two people call `require_fresh` first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from litestar import Request

from services.shared import outbox
from services.shared.errors import CommonReason, Refusal, SignInFirst
from services.shared.messages import REGISTRY_STAFF, Message, StaffMessage
from services.shared.postgres import Connection, Pool
from services.shared.tokens import StaffClaims, StaffVerifier

TOKEN_COOKIE = "px_staff"
_JUST_RENEWED = timedelta(seconds=10)


class Role(StrEnum):
    """The roles of CONTRACT; one person may have several."""

    APPLICANT = "applicant"
    CHANNEL_OFFICER = "channel_officer"
    REVIEWER = "reviewer"
    EXPERT = "expert"
    HELPER = "helper"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    SECURITY_ADMINISTRATOR = "security_administrator"


class Staff(msgspec.Struct, frozen=True):
    """A signed-in member of staff."""

    staff: str
    username: str
    name: str
    roles: frozenset[str]
    unit: str
    channel: str

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)


def bearer(request: Request[Any, Any, Any]) -> str:
    """The token of the Authorization header, or of the cookie that pages use; empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    # A cookie is believed on pages only, whose forms carry a CSRF token; calls under /api want the header,
    # except for reading, so that a page's download links work.
    if request.method in ("GET", "HEAD") or not request.url.path.startswith("/api/"):
        return request.cookies.get(TOKEN_COOKIE, "")
    return ""


async def apply_staff(connection: Connection, message: Message) -> None:
    """Follower of `registry.staff`: keep the newest version of an account."""
    assert isinstance(message, StaffMessage)
    await connection.execute(
        "INSERT INTO staff (staff, username, name, roles, unit, channel, disabled, not_before, version)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (staff) DO UPDATE SET"
        " username = excluded.username, name = excluded.name, roles = excluded.roles, unit = excluded.unit,"
        " channel = excluded.channel, disabled = excluded.disabled, not_before = excluded.not_before,"
        " version = excluded.version WHERE staff.version <= excluded.version",
        message.staff,
        message.username,
        message.name,
        message.roles,
        message.unit,
        message.channel,
        message.disabled,
        message.not_before,
        message.version,
    )


class StaffDoor:
    """Authorises staff by the accounts of this database: its own ones, or copies that follow `registry.staff`."""

    def __init__(self, pool: Pool, verifier: StaffVerifier, lag_max_s: float, *, copies: bool = True) -> None:
        self._pool, self._verifier, self._lag_max_s, self._copies = pool, verifier, lag_max_s, copies

    async def identify(self, request: Request[Any, Any, Any]) -> Staff | None:
        """The member of staff behind a request, or None."""
        claims = self._verifier.verify(bearer(request))
        if claims is None:
            return None
        row = await self._pool.fetchrow(
            "SELECT staff, username, name, roles, unit, channel, disabled, not_before FROM staff WHERE staff = $1",
            claims.staff,
        )
        if row is None or row["disabled"] or _outdated(claims, row["not_before"]):
            return None
        return Staff(row["staff"], row["username"], row["name"], frozenset(row["roles"]), row["unit"], row["channel"])

    async def require(self, request: Request[Any, Any, Any], *roles: Role) -> Staff:
        """The signed-in member of staff, who has one of `roles`; raises Refusal 401 or 403."""
        staff = await self.identify(request)
        if staff is None:
            raise Refusal(CommonReason.BAD_TOKEN, "Sign in again: the token is missing, expired or withdrawn.")
        if not staff.has(*roles):
            raise Refusal(CommonReason.FORBIDDEN, f"This needs the role {' or '.join(sorted(roles))}.")
        return staff

    async def visitor(self, request: Request[Any, Any, Any], *roles: Role) -> Staff:
        """Who looks at a page: signed in, with one of `roles` where some are named.

        Raises SignInFirst, which becomes the way to renew the sign-in and back; Refusal forbidden, or staff_stale where
        renewing did not help, since a copy lags: going there again would lead back here for ever.
        """
        staff = await self.identify(request)
        if staff is None:
            claims = self._verifier.verify(bearer(request))
            if self._copies and claims is not None and datetime.now(UTC) - claims.issued_at < _JUST_RENEWED:
                detail = "This account is not known here yet, or is disabled; repeat in a moment."
                raise Refusal(CommonReason.STAFF_STALE, detail, retry_after_s=5)
            raise SignInFirst
        if roles and not staff.has(*roles):
            raise Refusal(CommonReason.FORBIDDEN, f"This page needs the role {' or '.join(sorted(roles))}.")
        return staff

    async def remaining_s(self, request: Request[Any, Any, Any], *roles: Role) -> float:
        """How long the one behind a request may go on watching; nothing once token, account or role are gone."""
        claims, staff = self._verifier.verify(bearer(request)), await self.identify(request)
        if claims is None or staff is None or not staff.has(*roles):
            return 0.0
        return (claims.expires_at - datetime.now(UTC)).total_seconds()

    async def require_fresh(self) -> None:
        """Fail closed when a disabled account might not be known here yet."""
        lag = await outbox.lag_s(self._pool, REGISTRY_STAFF)
        if lag > self._lag_max_s:
            raise Refusal(
                CommonReason.STAFF_STALE,
                "An act of two people needs up-to-date staff records; the registry has not been heard of.",
                retry_after_s=5,
            )


def _outdated(claims: StaffClaims, not_before: Any) -> bool:
    # Tokens carry whole milliseconds of the registry's clock; a second of grace covers the rounding.
    return bool(claims.issued_at < not_before - timedelta(seconds=1))

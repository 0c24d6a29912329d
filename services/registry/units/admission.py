"""Registering and approving units: the allowance of an address, the approval with its invitation."""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from services.registry import challenge_store
from services.registry.challenges import LEVEL_MAX, Challenges
from services.registry.reasons import RegistryReason
from services.registry.settings import RegistrySettings
from services.registry.staff import invitation_store, invitations
from services.registry.staff.invitations import NewInvitation
from services.registry.units import store, units
from services.registry.units.units import NewUnit, Unit, UnitDecision
from services.shared.clock import Clock
from services.shared.errors import CommonReason, Refusal
from services.shared.keys import derive
from services.shared.postgres import Pool, transaction
from services.shared.staff import Role, Staff

LOCAL = ZoneInfo("Asia/Shanghai")
CHALLENGE_LIFETIME_S = 600
_SUBJECT = "unit"


class Admission:
    """Who may register, and what approval brings; one per process."""

    def __init__(self, pool: Pool, clock: Clock, settings: RegistrySettings, secret: bytes) -> None:
        self._pool, self._clock, self._settings = pool, clock, settings
        self._key = derive(secret, "registration-attempts")
        self._challenges = Challenges(secret, "registration", lifetime_s=CHALLENGE_LIFETIME_S)

    async def register(self, wanted: NewUnit, address: str) -> tuple[str, int]:
        """(unit, version) of the pending registration; raises Refusal 422, 409, 404 or 428 with a challenge."""
        now = self._clock.now()
        checked = units.checked(wanted, now.astimezone(LOCAL).date())
        await self._require_allowance(wanted.altcha, address, now)
        return await store.register(self._pool, f"u{secrets.token_hex(6)}", checked, now)

    async def _require_allowance(self, solution: str, address: str, now: datetime) -> None:
        """Over its allowance an address works for each registration; it is never refused for good."""
        key = hmac.digest(self._key, address.encode(), sha256)
        excess = await store.count_registration(self._pool, key, now.date()) - self._settings.registrations_free
        if excess <= 0:
            return
        level = min(excess // 10, LEVEL_MAX)
        solved = self._challenges.check(solution, _SUBJECT)
        if not await self._challenges.spend(self._pool, solved, level, now):
            raise Refusal(
                RegistryReason.CHALLENGE_REQUIRED,
                "Many units were registered from here today: solve the challenge and repeat with it as `altcha`.",
                challenge=self._challenges.make(_SUBJECT, level),
            )

    async def decide(self, unit: Unit, decision: UnitDecision, actor: Staff) -> tuple[int, str]:
        """(version, link of the first account's invitation or ""); raises Refusal 403, 409 or 422."""
        line = unit.line
        if refusal := units.conflict(actor, line.unit, line.channel):
            raise refusal
        if decision.decision is units.Decision.CLOSED and not actor.has(Role.ADMINISTRATOR):
            raise Refusal(CommonReason.FORBIDDEN, "Only an administrator closes a unit.")
        reason, now = units.require_reason(decision), self._clock.now()
        async with transaction(self._pool) as connection:
            decided = await store.decide(connection, line.unit, decision, reason, actor.staff, now)
            if not decided.registered:
                return decided.version, ""
            token = invitations.new_token()
            name = unit.contact.name if unit.contact else ""
            first = NewInvitation([Role.APPLICANT], name=name, unit=line.unit)
            await invitation_store.invite(connection, first, invitations.hashed(token), actor.staff, now)
        return decided.version, invitations.link_of(self._settings.public_origin, token)

    async def sweep_once(self) -> int:
        """Step of the elected loop: forget old counts and spent challenges."""
        now = self._clock.now()
        return await store.sweep(self._pool, now) + await challenge_store.sweep(self._pool, now)

"""Signing in, renewing and signing out: sessions of 12 hours (60 minutes idle) that mint five-minute tokens.

Damping goes by (username, address): a guesser waits longer after each failure, while the person, who comes from another
address, does not notice. There is no lock and no limit per username or per address alone, for the first would let
anybody lock somebody out and the second would punish a shared address; what many addresses together may try is bounded
by argon2's cost and by how many hashes run at once.
"""

import hashlib
import hmac
import math
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from services.registry import metrics
from services.registry.reasons import RegistryReason
from services.registry.settings import RegistrySettings
from services.registry.staff import store
from services.registry.staff.accounts import Account, canonical, is_username
from services.registry.staff.passwords import Passwords
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.shared.keys import derive
from services.shared.postgres import Pool
from services.shared.tokens import StaffSigner

_FORGET_AFTER = timedelta(hours=1)
_KEEP_ATTEMPTS = timedelta(days=1)


class SignInOutcome(StrEnum):
    SIGNED_IN = "signed_in"
    WRONG_CREDENTIALS = "wrong_credentials"
    TOO_MANY_ATTEMPTS = "too_many_attempts"


class StaffToken(msgspec.Struct, frozen=True):
    """What programs and the admin page work with; `expires_at` is at most five minutes away."""

    token: str
    expires_at: datetime
    roles: list[str]


class SignedIn(msgspec.Struct, frozen=True):
    """A session's secret id (for the cookie only), its account and the first token."""

    session: str
    account: Account
    token: StaffToken


class Sessions:
    """The sessions of staff; one per process."""

    def __init__(
        self, pool: Pool, signer: StaffSigner, clock: Clock, settings: RegistrySettings, secret: bytes
    ) -> None:
        self._pool, self._signer, self._clock, self._settings = pool, signer, clock, settings
        self._key = derive(secret, "sign-in-attempts")
        self._passwords = Passwords(settings.hashing_parallel, settings.hashing_waiting_max)

    @property
    def passwords(self) -> Passwords:
        return self._passwords

    @property
    def lifetime(self) -> timedelta:
        return timedelta(hours=self._settings.session_hours)

    async def sign_in(self, username: str, password: str, address: str) -> SignedIn:
        """A new session; raises Refusal 401 `wrong_credentials` or 429 `too_many_attempts`."""
        name = canonical(username)[:200]
        key = hmac.digest(self._key, f"{name}\0{address}".encode(), hashlib.sha256)
        wait_s = await store.try_sign_in(
            self._pool, key, self._clock.now(), self._settings.attempts_free, self._settings.attempt_pause_max_s,
            _FORGET_AFTER,
        )  # fmt: skip
        if wait_s > 0:
            metrics.sign_ins_total.labels(SignInOutcome.TOO_MANY_ATTEMPTS).inc()
            raise Refusal(
                RegistryReason.TOO_MANY_ATTEMPTS,
                "Wait a moment, then try once more with the right password.",
                retry_after_s=math.ceil(wait_s),
            )
        found = await store.credentials(self._pool, name) if is_username(name) else None
        right = await self._passwords.matches(found[1] if found else None, password)
        if found is None or not right:
            metrics.sign_ins_total.labels(SignInOutcome.WRONG_CREDENTIALS).inc()
            raise Refusal(RegistryReason.WRONG_CREDENTIALS, "Check the username and the password, then try again.")
        await store.forgive(self._pool, key)
        metrics.sign_ins_total.labels(SignInOutcome.SIGNED_IN).inc()
        return await self._open(found[0])

    async def _open(self, account: Account) -> SignedIn:
        session = secrets.token_urlsafe(32)
        await store.open_session(self._pool, _hashed(session), account.staff, self._clock.now())
        return SignedIn(session, account, self._token(account))

    def _token(self, account: Account) -> StaffToken:
        token, expires_at = self._signer.sign(account.staff, account.username, account.roles, self._clock.now())
        return StaffToken(token, expires_at, account.roles)

    async def renew(self, session: str) -> tuple[Account, StaffToken] | None:
        """A fresh token for a session that still lives, else None."""
        if not session:
            return None
        idle = timedelta(minutes=self._settings.session_idle_minutes)
        account = await store.use_session(self._pool, _hashed(session), self._clock.now(), self.lifetime, idle)
        return None if account is None else (account, self._token(account))

    async def end(self, session: str) -> bool:
        """Sign out; returns whether the session was open."""
        return bool(session) and await store.end_session(self._pool, _hashed(session), self._clock.now())

    async def sweep_once(self) -> int:
        """Step of the elected loop: forget old damping."""
        return await store.sweep_attempts(self._pool, self._clock.now() - _KEEP_ATTEMPTS)


def _hashed(session: str) -> bytes:
    # The id is 256 random bits: a plain hash is as good as a slow one.
    return hashlib.sha256(session.encode()).digest()

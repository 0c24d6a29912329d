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
from services.registry.staff import attempt_store, session_store, store
from services.registry.staff.accounts import Account, canonical, is_username
from services.registry.staff.passwords import Passwords
from services.registry.staff.second_factor import SecondFactor
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.shared.keys import derive
from services.shared.postgres import Pool, transaction
from services.shared.tokens import StaffSigner

_FORGET_AFTER = timedelta(hours=1)
_KEEP_ATTEMPTS = timedelta(days=1)


class SignInOutcome(StrEnum):
    SIGNED_IN = "signed_in"
    WRONG_CREDENTIALS = "wrong_credentials"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    SECOND_FACTOR = "second_factor"


class StaffToken(msgspec.Struct, frozen=True, omit_defaults=True):
    """What programs and the admin page work with; `expires_at` is at most five minutes away.

    `recovery_codes` are there once: when this sign-in's code confirmed a second factor.
    """

    token: str
    expires_at: datetime
    roles: list[str]
    recovery_codes: list[str] = []


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
        self._second_factor = SecondFactor(pool, clock, settings, secret)

    @property
    def passwords(self) -> Passwords:
        return self._passwords

    @property
    def second_factor(self) -> SecondFactor:
        return self._second_factor

    @property
    def lifetime(self) -> timedelta:
        return timedelta(hours=self._settings.session_hours)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self._settings.session_idle_minutes)

    async def sign_in(
        self, username: str, password: str, address: str, *, totp: str = "", device: str = ""
    ) -> SignedIn:
        """A new session; raises Refusal 401 `wrong_credentials`, `totp_missing`, `totp_wrong`, 429 `too_many_attempts`.

        `device` names the kind of program, so that the session's owner recognises it.
        """
        account = await self.authenticate(username, password, address)
        try:
            recovery_codes = await self._second_factor.check(account, totp.strip())
        except Refusal:
            metrics.sign_ins_total.labels(SignInOutcome.SECOND_FACTOR).inc()
            raise
        metrics.sign_ins_total.labels(SignInOutcome.SIGNED_IN).inc()
        return await self._open(account, device, recovery_codes)

    async def authenticate(self, username: str, password: str, address: str) -> Account:
        """The account of a name and its password; raises Refusal 401 `wrong_credentials` or 429."""
        name = canonical(username)[:200]
        key = hmac.digest(self._key, f"{name}\0{address}".encode(), hashlib.sha256)
        wait_s = await attempt_store.try_sign_in(
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
        await attempt_store.forgive(self._pool, key)
        return found[0]

    async def change_password(self, account: Account, password: str, session: str) -> StaffToken:
        """Set a new password: every other session and every token until now ends; a fresh token for this one."""
        password_hash = await self._passwords.hash(password)
        async with transaction(self._pool) as connection:
            now = self._clock.now()
            changed = await store.set_password(
                connection, account.staff, password_hash, now, except_session=session_hash(session)
            )
        if changed is None:
            raise Refusal(RegistryReason.SESSION_ENDED, "Sign in again.")
        return self.token(changed)

    async def _open(self, account: Account, device: str, recovery_codes: list[str]) -> SignedIn:
        session = secrets.token_urlsafe(32)
        hashed = session_hash(session)
        await session_store.open_session(self._pool, hashed, account.staff, device, self._clock.now())
        token = msgspec.structs.replace(self.token(account), recovery_codes=recovery_codes)
        return SignedIn(session, account, token)

    def token(self, account: Account) -> StaffToken:
        """A token of five minutes for an account that was just authenticated."""
        token, expires_at = self._signer.sign(account.staff, account.username, account.roles, self._clock.now())
        return StaffToken(token, expires_at, account.roles)

    async def renew(self, session: str) -> tuple[Account, StaffToken] | None:
        """A fresh token for a session that still lives, else None."""
        if not session:
            return None
        hashed = session_hash(session)
        account = await session_store.use_session(self._pool, hashed, self._clock.now(), self.lifetime, self.idle)
        return None if account is None else (account, self.token(account))

    async def end(self, session: str) -> bool:
        """Sign out; returns whether the session was open."""
        return bool(session) and await session_store.end_session(self._pool, session_hash(session), self._clock.now())

    async def sweep_once(self) -> int:
        """Step of the elected loop: forget old damping."""
        return await attempt_store.sweep_attempts(self._pool, self._clock.now() - _KEEP_ATTEMPTS)


def session_hash(session: str) -> bytes:
    """What the database knows of a session's secret id."""
    # The id is 256 random bits: a plain hash is as good as a slow one.
    return hashlib.sha256(session.encode()).digest()

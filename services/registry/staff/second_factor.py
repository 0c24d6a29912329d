"""The second factor of an account: enrolment, checks at sign-in, recovery codes.

A wrong code is damped per account, with pauses of at most `attempt_pause_max_s`: only who knows the password gets as
far as a code, so that nobody else can make the owner wait. Secrets lie sealed (AES-256-GCM, bound to their account)
under a key that is derived from the service's web secret.
"""

import hmac
import math
from datetime import timedelta
from hashlib import sha256

import msgspec

from services.registry.reasons import RegistryReason
from services.registry.settings import RegistrySettings
from services.registry.staff import attempt_store, totp, totp_store
from services.registry.staff.accounts import Account
from services.shared.clock import Clock
from services.shared.errors import Refusal
from services.shared.keys import derive, seal, unseal
from services.shared.postgres import Pool
from services.shared.qr import qr_svg
from services.shared.staff import Role

_FORGET_AFTER = timedelta(hours=1)
_NEEDED_BY = frozenset({Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR, Role.AUDITOR})


class Enrolment(msgspec.Struct, frozen=True):
    """What an authenticator program needs; told once, and nothing until a first code confirms it.

    `qr` is `uri` as an SVG document, so that no picture with a secret in its address is ever asked for.
    """

    secret: str
    uri: str
    qr: str


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Codes for the day the phone is lost, told once."""

    recovery_codes: list[str]


class SecondFactor:
    """Second factors of all accounts; one per process."""

    def __init__(self, pool: Pool, clock: Clock, settings: RegistrySettings, secret: bytes) -> None:
        self._pool, self._clock, self._settings = pool, clock, settings
        self._seal_key = derive(secret, "staff-totp")
        self._code_key = derive(secret, "staff-recovery-codes")
        self._attempt_key = derive(secret, "totp-attempts")

    def needed_by(self, account: Account) -> bool:
        """Whether this account may not sign in without one."""
        return self._settings.needs_totp and not _NEEDED_BY.isdisjoint(account.roles)

    async def start(self, account: Account, code: str = "") -> Enrolment:
        """A new secret to be confirmed; a factor that counts already is replaced only for one of its codes."""
        known = await totp_store.find(self._pool, account.staff)
        if known is not None and known.enrolled:
            await self._require(account, known, code)
            await totp_store.remove(self._pool, account.staff, account.staff, self._clock.now())
        secret = totp.new_secret()
        sealed = seal(self._seal_key, secret.encode(), account.staff.encode())
        if not await totp_store.start(self._pool, account.staff, sealed, self._clock.now()):
            raise _state("A second factor was enrolled meanwhile.")
        uri = totp.uri(secret, account.username)
        return Enrolment(secret, uri, qr_svg(uri).decode())

    async def confirm(self, account: Account, code: str) -> list[str]:
        """Let the started factor count, given its first code; returns the recovery codes."""
        known = await totp_store.find(self._pool, account.staff)
        if known is None or known.enrolled:
            raise _state("Start an enrolment first." if known is None else "It is enrolled already.")
        await self._pause(account)
        now = self._clock.now()
        step = totp.step_of(self._secret(account, known), code, now)
        codes = totp.new_recovery_codes()
        hashes = [totp.recovery_hash(self._code_key, account.staff, each) for each in codes]
        if step is None:
            raise await self._refused(account)
        if not await totp_store.enrol(self._pool, account.staff, known.sealed_secret, step, hashes, now):
            raise _state("The enrolment was started anew; use its newest secret.")
        await attempt_store.forgive(self._pool, self._key_of(account))
        return codes

    async def check(self, account: Account, code: str) -> list[str]:
        """Let a sign-in pass; returns recovery codes where this code was the first. Raises Refusal 401 or 429.

        A code given while an enrolment is open confirms it: the way in for who must have a factor and has none.
        """
        known = await totp_store.find(self._pool, account.staff)
        if known is not None and known.enrolled:
            await self._require(account, known, code)
        elif known is not None and code:
            return await self.confirm(account, code)
        elif self.needed_by(account):
            raise Refusal(
                RegistryReason.TOTP_MISSING,
                "Your role needs a second factor: POST /sessions/totp starts its enrolment.",
                enrolled=False,
            )
        return []

    async def _require(self, account: Account, known: totp_store.Factor, code: str) -> None:
        if not code:
            raise Refusal(
                RegistryReason.TOTP_MISSING, "Give the code of your authenticator, or a recovery code.", enrolled=True
            )
        await self._pause(account)
        if not await self._used(account, known, code):
            raise await self._refused(account)
        await attempt_store.forgive(self._pool, self._key_of(account))

    async def _used(self, account: Account, known: totp_store.Factor, code: str) -> bool:
        now = self._clock.now()
        if not totp.is_code(code):
            code_hash = totp.recovery_hash(self._code_key, account.staff, code)
            return await totp_store.use_recovery_code(self._pool, account.staff, code_hash, now)
        step = totp.step_of(self._secret(account, known), code, now)
        return step is not None and await totp_store.use_step(self._pool, account.staff, step)

    async def _pause(self, account: Account) -> None:
        """Count the try first, so that parallel tries gain nothing; raises Refusal 429."""
        wait_s = await attempt_store.try_sign_in(
            self._pool, self._key_of(account), self._clock.now(), self._settings.attempts_free,
            self._settings.attempt_pause_max_s, _FORGET_AFTER,
        )  # fmt: skip
        if wait_s > 0:
            raise Refusal(
                RegistryReason.TOO_MANY_ATTEMPTS, "Wait for the next code, then try once.",
                retry_after_s=math.ceil(wait_s),
            )  # fmt: skip

    async def _refused(self, account: Account) -> Refusal:
        await totp_store.note_refused(self._pool, account.staff, self._clock.now())
        return Refusal(RegistryReason.TOTP_WRONG, "Wait for the next code; each is good once.")

    def _secret(self, account: Account, known: totp_store.Factor) -> str:
        return unseal(self._seal_key, known.sealed_secret, account.staff.encode()).decode()

    def _key_of(self, account: Account) -> bytes:
        return hmac.digest(self._attempt_key, account.staff.encode(), sha256)


def _state(detail: str) -> Refusal:
    return Refusal(RegistryReason.TOTP_STATE, detail)

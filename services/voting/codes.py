"""Signing in: a challenge is solved, a code is sent, the code is proven, a token is made.

Codes, their tries and used challenges live in PostgreSQL, so that signing in does not depend on Valkey. The answer is
the same for every phone, whether it has voted or not. Limits stand on a number *from an address*, so that nobody can
use up a victim's codes from elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Protocol
from uuid import UUID, uuid4

import msgspec

from services.shared.errors import Refusal
from services.shared.keys import derive
from services.shared.postgres import Connection, Pool, transaction
from services.voting import metrics, store
from services.voting.challenges import Challenges
from services.voting.identity import RoundKeys, canonical_phone, keyed
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound
from services.voting.settings import VotingSettings
from services.voting.stations.assistance import Assistance
from services.voting.voter_token import VoterToken, VoterTokens


class CodeAsked(msgspec.Struct, frozen=True):
    """What everybody gets who asks for a code."""

    request: UUID
    expires_in_s: int
    resend_after_s: int


class SignedIn(msgspec.Struct, frozen=True):
    token: str
    expires: int


class CodeProvider(Protocol):
    """Delivers a code to a phone; raises CodesPaused when it cannot."""

    async def send(self, connection: Connection, phone: str, code: str, route: str) -> None: ...


class OutboxProvider:
    """The embedded platform's provider: codes are left in a table that a demo or a test can read."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive(secret, "dev-outbox")

    async def send(self, connection: Connection, phone: str, code: str, route: str) -> None:
        await connection.execute(
            "INSERT INTO dev_outbox (phone_key, code) VALUES ($1, $2)", keyed(self._key, "phone", phone), code
        )

    async def sent(self, pool: Pool, phone: str) -> list[dict[str, object]]:
        """[{code, sent_at}], newest last."""
        rows = await pool.fetch(
            "SELECT code, sent_at FROM dev_outbox WHERE phone_key = $1 ORDER BY id DESC LIMIT 50",
            keyed(self._key, "phone", phone),
        )
        return [{"code": row["code"], "sent_at": row["sent_at"]} for row in reversed(rows)]


class SignIn:
    """The two calls of a citizen who proves a phone."""

    def __init__(
        self, pool: Pool, settings: VotingSettings, keys: RoundKeys, challenges: Challenges, provider: CodeProvider,
        tokens: VoterTokens, secret: bytes,
    ) -> None:  # fmt: skip
        self._pool, self._settings, self._keys = pool, settings, keys
        self._challenges, self._provider, self._tokens = challenges, provider, tokens
        self._code_key = derive(secret, "codes")

    async def ask(self, frozen: FrozenRound, phone: str, altcha: str, route: str, address: str) -> CodeAsked:
        """Send a code; raises Refusal bad_phone, challenge_failed, too_many_codes or codes_paused."""
        number = self._phone(phone)
        key = self._identity_key(frozen)
        nonce = self._challenges.verify(altcha, frozen.id)
        if nonce is None or not await store.use_challenge(self._pool, nonce, self._settings.challenge_lifetime_s):
            raise Refusal(Reason.CHALLENGE_FAILED, "Fetch a new challenge, solve it and ask again.")
        phone_key, address_key = keyed(key, "code", number), keyed(key, "address", address)
        await self._limit(frozen, phone_key, address_key)
        return await self._send(frozen, number, route, phone_key, address_key)

    async def _limit(self, frozen: FrozenRound, phone_key: bytes, address_key: bytes) -> None:
        settings = self._settings
        count, newest_s = await store.recent_codes(self._pool, frozen.number, phone_key, address_key)
        if newest_s < settings.code_resend_s:
            wait_s = int(settings.code_resend_s - newest_s) + 1
            raise Refusal(Reason.TOO_MANY_CODES, "A code was just sent; wait before the next.", retry_after_s=wait_s)
        if count >= settings.codes_per_hour:
            raise Refusal(Reason.TOO_MANY_CODES, "Several codes were sent within the hour.", retry_after_s=1800)
        if await store.codes_in_last_minute(self._pool) >= settings.codes_per_minute_max:
            raise Refusal(Reason.CODES_PAUSED, "Sending codes is paused; try again in a few minutes.", retry_after_s=60)

    async def _send(
        self, frozen: FrozenRound, number: str, route: str, phone_key: bytes, address_key: bytes
    ) -> CodeAsked:
        request, code = uuid4(), f"{secrets.randbelow(1_000_000):06d}"
        lifetime_s = self._settings.code_lifetime_s
        async with transaction(self._pool) as connection:
            mac = self._mac(request, code)
            await store.add_code_request(connection, request, frozen.number, phone_key, address_key, mac, lifetime_s)
            await self._provider.send(connection, number, code, route)
        metrics.codes_total.labels("sent").inc()
        return CodeAsked(request, lifetime_s, self._settings.code_resend_s)

    async def prove(
        self, frozen: FrozenRound, request: UUID, phone: str, code: str, stratum: str, now_s: float,
        assistance: Assistance | None = None,
    ) -> SignedIn:  # fmt: skip
        """Exchange a code for a token; raises Refusal bad_phone, wrong_code, code_expired
        or too_many_attempts (all tries of this request are used, or the helper's of this hour)."""
        number = self._phone(phone)
        key = self._identity_key(frozen)
        # A wrong try must be counted even though it ends in a refusal: the refusal is raised after the commit.
        async with transaction(self._pool) as connection:
            if assistance is not None:
                await assistance.admit(connection)
            refusal = await self._try_code(connection, frozen, request, keyed(key, "code", number), code)
            voter_key = keyed(key, "phone", number)
            reissue = 0 if refusal else await store.newest_reissue(connection, frozen.number, voter_key)
            if assistance is not None and refusal is None:
                await assistance.note(connection)
        if refusal is not None:
            raise refusal
        expires = int(now_s) + (assistance.token_lifetime_s if assistance else self._settings.token_lifetime_s)
        route, station = ("station", assistance.station) if assistance else ("sms", None)
        token = VoterToken(frozen.number, voter_key, reissue, route, stratum, expires, station)
        metrics.sessions_total.labels("signed_in").inc()
        return SignedIn(self._tokens.sign(token), expires)

    async def _try_code(
        self, connection: Connection, frozen: FrozenRound, request: UUID, phone_key: bytes, code: str
    ) -> Refusal | None:
        found = await store.find_code(connection, request, frozen.number, phone_key)
        tries = self._settings.wrong_codes_max
        if found is None:
            return Refusal(Reason.WRONG_CODE, "This code was not sent to this number.", attempts_left=0)
        if found.wrong_tries >= tries:
            return Refusal(Reason.TOO_MANY_ATTEMPTS, "Too many wrong tries with this code; ask for a new one.")
        if found.expired or found.used:
            return Refusal(Reason.CODE_EXPIRED, "This code is no longer good; ask for a new one.")
        right = hmac.compare_digest(found.code_mac, self._mac(request, code))
        await store.note_try(connection, request, right=right)
        if right:
            return None
        left = tries - found.wrong_tries - 1
        return Refusal(Reason.WRONG_CODE, "The code is wrong; look at the newest message.", attempts_left=left)

    def _mac(self, request: UUID, code: str) -> bytes:
        return keyed(self._code_key, request.hex, code)

    def _phone(self, text: str) -> str:
        number = canonical_phone(text)
        if number is None:
            raise Refusal(Reason.BAD_PHONE, "Enter a mainland mobile number of 11 digits.")
        return number

    def _identity_key(self, frozen: FrozenRound) -> bytes:
        if frozen.forgotten:
            raise Refusal(Reason.IDENTITY_FORGOTTEN, "The round is over and its identity key was destroyed.")
        return self._keys.create(frozen.id)

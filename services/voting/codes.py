"""Signing in: a challenge is solved, a code is sent, the code is proven, a token is made.

Codes, their tries and used challenges live in PostgreSQL, so that signing in does not depend on Valkey. The answer is
the same for every phone, whether it has voted or not. Nobody can lock somebody else out: suspicion about a number asks
for more work and offers other ways; only the spend breaker pauses. No transaction is open while a provider is asked.
"""

from __future__ import annotations

import hmac
import secrets
from uuid import UUID, uuid4

import msgspec

from services.shared.errors import Refusal
from services.shared.keys import derive
from services.shared.postgres import Connection, Pool, transaction
from services.voting import codes_store, metrics, store
from services.voting.challenges import Challenges, Solved
from services.voting.codes_store import Asker, CodeUse
from services.voting.delivery.courier import Courier, Told
from services.voting.identity import keyed
from services.voting.identity.people import People, Person, Typed
from services.voting.phone_region import find_region
from services.voting.pulse import Pulse
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound
from services.voting.settings import VotingSettings
from services.voting.spend import SpendBreaker
from services.voting.stations.assistance import Assistance
from services.voting.suspicion import Allowances, level
from services.voting.voter_token import VoterToken, VoterTokens

# Ten thousand neighbouring numbers share all but their last four digits.
_NEIGHBOUR_DIGITS = 4


class CodeAsked(msgspec.Struct, frozen=True):
    """What everybody gets who asks for a code."""

    request: UUID
    expires_in_s: int
    resend_after_s: int


class SignedIn(msgspec.Struct, frozen=True):
    token: str
    expires: int


class _Proof(msgspec.Struct, frozen=True):
    """What is shown to prove a phone; `reserved` tries of this very call were counted already."""

    request: UUID
    phone: str
    code: str
    reserved: int = 0


class SignIn:
    """The two calls of a citizen who proves a phone."""

    def __init__(
        self, pool: Pool, settings: VotingSettings, people: People, challenges: Challenges, courier: Courier,
        tokens: VoterTokens, secret: bytes,
    ) -> None:  # fmt: skip
        self._pool, self._settings, self.people = pool, settings, people
        self._challenges, self._courier, self._tokens = challenges, courier, tokens
        self._code_key = derive(secret, "codes")
        self._spend = SpendBreaker(pool, settings.codes_per_minute_max, settings.codes_per_day_max)
        self._allowances = Allowances(
            settings.codes_free_per_number_max, settings.code_failures_free_max, settings.codes_free_per_prefix_max,
            settings.challenge_level_max,
        )  # fmt: skip

    async def ask(
        self, frozen: FrozenRound, phone: str, altcha: str, route: str, source: str, pulse: Pulse
    ) -> CodeAsked:
        """Send a code; raises Refusal bad_phone, identity_unavailable, challenge_failed, too_many_codes or
        codes_paused.

        `source` is the device or, without one, the address: pauses between codes stand on number and source. `pulse` is
        told of codes that were sent, and of those that could not be through no fault of who asked.
        """
        number = self.people.phone(phone)
        self.people.check_possible(frozen)
        asker = self._asker(frozen, number, source)
        solved = await self.take_work(frozen, altcha)
        await self._pause(frozen, asker)
        await self._demand_work(frozen, asker, route, solved)

        def told(*, sent: bool) -> None:
            # Who cannot be called may still get a message: a voice that is out of order is nobody's outage.
            if sent or route == "sms":
                pulse.note_code(frozen.number, asker.phone_key, sent=sent)

        try:
            await self._check_sending(route)
        except Refusal:
            told(sent=False)
            raise
        return await self._send(frozen, number, route, asker, told)

    async def take_work(self, frozen: FrozenRound, altcha: str) -> Solved:
        """The challenge that was solved and is used up by this; raises Refusal challenge_failed."""
        solved = self._challenges.check(altcha, frozen.id)
        if solved is None or not await store.use_challenge(
            self._pool, solved.nonce, self._settings.challenge_lifetime_s
        ):
            raise Refusal(Reason.CHALLENGE_FAILED, "Fetch a new challenge, solve it and ask again.")
        return solved

    def _asker(self, frozen: FrozenRound, number: str, source: str) -> Asker:
        key = self.people.key(frozen)
        neighbours = number[:-_NEIGHBOUR_DIGITS]
        return Asker(keyed(key, "code", number), keyed(key, "neighbours", neighbours), keyed(key, "source", source))

    async def _pause(self, frozen: FrozenRound, asker: Asker) -> None:
        pause_s = self._settings.code_resend_s
        newest_s = await codes_store.seconds_since_newest(self._pool, frozen.number, asker)
        if newest_s < pause_s:
            wait_s = int(pause_s - newest_s) + 1
            raise Refusal(Reason.TOO_MANY_CODES, "A code was just sent; wait before the next.", retry_after_s=wait_s)

    async def _demand_work(self, frozen: FrozenRound, asker: Asker, route: str, solved: Solved) -> None:
        """Ask a suspicious number for more work; a level that rose while it was being done is forgiven."""
        wanted = level(await codes_store.recent_asks(self._pool, frozen.number, asker, route), self._allowances)
        done = solved.level if solved.bound == self._challenges.bound(asker.phone_key) else 0
        if wanted == 0 or (done and done >= wanted - 1):
            return
        metrics.codes_harder_total.inc()
        raise Refusal(
            Reason.CHALLENGE_FAILED,
            "Many codes were asked for lately: solve this longer challenge and ask again, or take another way.",
            challenge=self._challenges.make(frozen.id, wanted, asker.phone_key),
            alternatives=["voice", "station"] if route == "sms" else ["sms", "station"],
        )

    async def _check_sending(self, route: str) -> None:
        """Raises Refusal codes_paused; nothing here depends on the number."""
        pause_s = await self._spend.open_for_s()
        if pause_s:
            raise Refusal(Reason.CODES_PAUSED, "Sending codes is paused; try again later.", retry_after_s=pause_s)
        if not self._courier.ready(route):
            raise Refusal(
                Reason.CODES_PAUSED, "No provider sends codes this way now; try again or take another way.",
                retry_after_s=30, alternatives=["voice", "station"] if route == "sms" else ["sms", "station"],
            )  # fmt: skip

    async def _send(self, frozen: FrozenRound, number: str, route: str, asker: Asker, told: Told) -> CodeAsked:
        request, code = uuid4(), f"{secrets.randbelow(1_000_000):06d}"
        lifetime_s, mac = self._settings.code_lifetime_s, self._mac(request, code)
        await codes_store.add_code_request(self._pool, request, frozen.number, asker, route, mac, lifetime_s)
        self._spend.note()
        await self._courier.hand_over(request, number, code, route, told)
        metrics.codes_total.labels(metrics.Well.SENT).inc()
        return CodeAsked(request, lifetime_s, self._settings.code_resend_s)

    async def prove(
        self, frozen: FrozenRound, request: UUID, phone: str, code: str, stratum: str, now_s: float,
        assistance: Assistance | None = None, typed: Typed | None = None,
    ) -> SignedIn:  # fmt: skip
        """Exchange a code for a token; raises Refusal bad_phone, wrong_code, code_expired, too_many_attempts (all tries
        of this request are used, or the helper's of this hour) and those of `People`."""
        person = self.people.claim(frozen, self.people.phone(phone), typed or Typed(), now_s)
        proof = _Proof(request, person.phone, code)
        if person.national_id:
            # A try is spent before the provider is asked: a code in hand is no licence to guess IDs.
            proof = await self._reserve(frozen, proof, assistance)
            person = await self.people.verify(person)
        stratum = await _found_stratum(frozen, person, stratum)
        return await self._enter(frozen, proof, person, stratum, now_s, assistance)

    async def _reserve(self, frozen: FrozenRound, proof: _Proof, assistance: Assistance | None) -> _Proof:
        async with transaction(self._pool) as connection:
            if assistance is not None:
                await assistance.admit(connection)
            outcome = await self._try(connection, frozen, proof)
            if isinstance(outcome, CodeUse):
                await codes_store.spend_try(connection, proof.request)
        if isinstance(outcome, Refusal):
            raise outcome
        return msgspec.structs.replace(proof, reserved=1)

    async def _enter(
        self, frozen: FrozenRound, proof: _Proof, person: Person, stratum: str, now_s: float,
        assistance: Assistance | None,
    ) -> SignedIn:  # fmt: skip
        # A wrong try must be counted even though it ends in a refusal: the refusal is raised after the commit.
        async with transaction(self._pool) as connection:
            if assistance is not None:
                await assistance.admit(connection)
            outcome = await self._try(connection, frozen, proof)
            if isinstance(outcome, CodeUse):
                await codes_store.use_code(connection, proof.request)
                voter_key = await self.people.voter_key(connection, frozen, person)
                reissue = await store.newest_reissue(connection, frozen.number, voter_key)
                if assistance is not None:
                    await assistance.note(connection)
        if isinstance(outcome, Refusal):
            raise outcome
        route = "station" if assistance else outcome.route
        return self._signed_in(frozen, voter_key, reissue, route, stratum, now_s, assistance)

    async def enter_proven(
        self, frozen: FrozenRound, person: Person, route: str, stratum: str, now_s: float
    ) -> SignedIn:
        """A token for somebody whose phone another route has proven; raises the refusals of `People`."""
        person = await self.people.verify(person)
        stratum = await _found_stratum(frozen, person, stratum)
        async with transaction(self._pool) as connection:
            voter_key = await self.people.voter_key(connection, frozen, person)
            reissue = await store.newest_reissue(connection, frozen.number, voter_key)
        return self._signed_in(frozen, voter_key, reissue, route, stratum, now_s, None)

    def _signed_in(
        self, frozen: FrozenRound, voter_key: bytes, reissue: int, route: str, stratum: str, now_s: float,
        assistance: Assistance | None,
    ) -> SignedIn:  # fmt: skip
        expires = int(now_s) + (assistance.token_lifetime_s if assistance else self._settings.token_lifetime_s)
        station = assistance.station if assistance else None
        token = VoterToken(frozen.number, voter_key, reissue, route, stratum, expires, station)
        metrics.sessions_total.labels(metrics.Well.SIGNED_IN).inc()
        return SignedIn(self._tokens.sign(token), expires)

    async def _try(self, connection: Connection, frozen: FrozenRound, proof: _Proof) -> CodeUse | Refusal:
        """Whether a code is good; a wrong one is counted. The request stays locked until the transaction ends."""
        phone_key = keyed(self.people.key(frozen), "code", proof.phone)
        found = await codes_store.find_code(connection, proof.request, frozen.number, phone_key)
        if found is None:
            return Refusal(Reason.WRONG_CODE, "This code was not sent to this number.", attempts_left=0)
        left = self._settings.wrong_codes_max - (found.wrong_tries - proof.reserved)
        if left <= 0:
            return Refusal(Reason.TOO_MANY_ATTEMPTS, "Too many wrong tries with this code; ask for a new one.")
        if found.expired or found.used:
            return Refusal(Reason.CODE_EXPIRED, "This code is no longer good; ask for a new one.")
        if hmac.compare_digest(found.code_mac, self._mac(proof.request, proof.code)):
            return found
        await codes_store.spend_try(connection, proof.request)
        return Refusal(Reason.WRONG_CODE, "The code is wrong; look at the newest message.", attempts_left=left - 1)

    def _mac(self, request: UUID, code: str) -> bytes:
        return keyed(self._code_key, request.hex, code)


async def _found_stratum(frozen: FrozenRound, person: Person, declared: str) -> str:
    """What the counts are split by: the declared district, or the region of the proven phone, as the rules say."""
    if frozen.rules.ballot.stratum == "phone_region":
        return await find_region(person.phone)
    return declared

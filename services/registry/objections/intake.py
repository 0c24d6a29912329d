"""Taking objections in: the proof of work, the allowance of an address, the receipt, the sealed name.

Invariant: name and phone are encrypted under a key that the database never sees before they are stored, and bound to
their receipt. No text message is sent: an objection is rare and deliberate, a code would tie every objector to a record
at the operator's provider, and the office calls back anyway. An address over its allowance works harder; it is never
refused, for a whole district office may stand behind it.
"""

import hmac
import secrets
from datetime import datetime
from typing import Any

import msgspec

from services.registry.challenges import LEVEL_MAX, Challenges
from services.registry.lists import store as lists
from services.registry.log.record import record
from services.registry.objections import rules, store
from services.registry.objections.rules import Filing, Medium, OfflineFiling, Person
from services.registry.objections.store import NewObjection
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.registry.settings import RegistrySettings
from services.shared import crockford
from services.shared.clock import Clock, day_in
from services.shared.errors import Refusal
from services.shared.keys import derive, seal, unseal
from services.shared.postgres import Connection, Pool, transaction

KIND = "objection"
RECEIPT_BYTES = 12
CHALLENGE_LIFETIME_S = 1800


class Intake:
    """Takes objections; one per process."""

    def __init__(self, pool: Pool, clock: Clock, settings: RegistrySettings, secret: bytes) -> None:
        self._pool, self._clock, self._settings = pool, clock, settings
        self._challenges = Challenges(secret, "objection", lifetime_s=CHALLENGE_LIFETIME_S)
        self._person_key = derive(secret, "objection-persons")
        self._address_key = derive(secret, "objection-addresses")

    async def challenge(self, round_id: str, address: str) -> dict[str, Any]:
        """Work for one objection, more of it where many came from the address within the hour."""
        await rounds.require_round(self._pool, round_id)
        return self._challenges.make(round_id, await self._level(self._pool, address))

    async def file(self, round_id: str, filing: Filing, address: str) -> str:
        """Take an objection and return its receipt.

        Raises Refusal `bad_objection`, `unknown_candidate`, `not_yet_open`, `deadline_passed`, `challenge_required`
        (with a challenge) or `challenge_failed`. What is wrong with the form is told before the work is used up.
        """
        person, now = rules.require_filing(filing), self._clock.now()
        async with transaction(self._pool) as connection:
            round_ = await rounds.require_round(connection, round_id)
            version = await _notice(connection, round_, filing.candidate, now)
            await self._require_work(connection, round_id, filing.altcha, address, now)
            await store.note_try(connection, self._keyed(address), now)
            new = self._new(round_, version, filing, Medium.ONLINE, day_in(now, round_.timezone), now, "")
            return await self._store(connection, new, person, "public")

    async def enter(self, round_id: str, filing: OfflineFiling, by: str) -> str:
        """What came offline, entered by the office; returns the receipt that is handed out or kept."""
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            round_ = await rounds.require_round(connection, round_id)
            person = rules.require_offline(filing, day_in(now, round_.timezone))
            received = rules.midday(filing.received_on, round_.timezone)
            if person is None:
                _require_candidate(round_, filing.candidate)
                version = round_.list_version
            else:
                version = await _notice(connection, round_, filing.candidate, min(received, now))
            new = self._new(round_, version, filing, filing.medium, filing.received_on, now, by)
            return await self._store(connection, new, person, by)

    def open_person(self, receipt: str, sealed: bytes) -> Person:
        """Who objected; raises SealBroken where the row was changed."""
        return msgspec.json.decode(unseal(self._person_key, sealed, receipt.encode()), type=Person)

    async def sweep_once(self) -> int:
        return await store.sweep(self._pool, self._clock.now())

    def _new(
        self, round_: Round, version: int, filing: Filing | OfflineFiling, medium: Medium, received_on: Any,
        now: datetime, by: str,
    ) -> NewObjection:  # fmt: skip
        return NewObjection(
            crockford.written(secrets.token_bytes(RECEIPT_BYTES)), round_.round, version, filing.candidate,
            filing.kind.value, medium.value, filing.ground.value, filing.text.strip(), received_on, now, by,
            self._settings.objection_reply_working_days,
        )  # fmt: skip

    async def _store(self, connection: Connection, new: NewObjection, person: Person | None, actor: str) -> str:
        sealed = None
        if person is not None:
            sealed = seal(self._person_key, msgspec.json.encode(person), new.receipt.encode())
        await store.insert(connection, new, sealed)
        after = {"kind": new.kind, "medium": new.medium, "ground": new.ground, "candidate": new.candidate}
        await record(
            connection, new.entered_at, actor, "objection.received", KIND, new.receipt, round_id=new.round,
            after=after, personal=person is not None,
        )  # fmt: skip
        return new.receipt

    async def _level(self, connection: Connection | Pool, address: str) -> int:
        known = await store.tries(connection, self._keyed(address), self._clock.now())
        return min(known // self._settings.objections_free, LEVEL_MAX)

    async def _require_work(
        self, connection: Connection, round_id: str, solution: str, address: str, now: datetime
    ) -> None:
        level = await self._level(connection, address)
        solved = self._challenges.check(solution, round_id)
        if await self._challenges.spend(connection, solved, level, now):
            return
        too_easy = solved is not None and solved.level < level
        failed = bool(solution) and not too_easy
        reason = RegistryReason.CHALLENGE_FAILED if failed else RegistryReason.CHALLENGE_REQUIRED
        raise Refusal(
            reason, "Solve the challenge and send the objection again with `altcha`; each is good for one objection.",
            challenge=self._challenges.make(round_id, level),
        )  # fmt: skip

    def _keyed(self, address: str) -> bytes:
        return hmac.new(self._address_key, address.encode(), "sha256").digest()


def parse_receipt(text: str) -> str | None:
    """The receipt as it is stored, or None where it cannot be one; dashes and case do not matter."""
    raw = crockford.read(text, RECEIPT_BYTES)
    return None if raw is None else crockford.written(raw)


async def _notice(connection: Connection, round_: Round, candidate: str | None, at: datetime) -> int:
    _require_candidate(round_, candidate)
    return rules.notice_for(await lists.versions(connection, round_.round), candidate, at)


def _require_candidate(round_: Round, candidate: str | None) -> None:
    if candidate is not None and candidate not in {card.candidate for card in round_.candidates}:
        raise Refusal(RegistryReason.UNKNOWN_CANDIDATE, "There is no such candidate in this round.")

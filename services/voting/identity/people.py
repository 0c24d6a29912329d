"""From what somebody typed to the voter's key that the round's rules ask for.

With `identity = "phone"` the person is the phone; with `"phone_and_id"` it is the ID, verified by a provider and bound
to the phone. Neither the ID nor the name is stored or logged: they live as long as the request.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from services.shared.errors import Refusal
from services.shared.postgres import Connection
from services.voting.identity import binding_store
from services.voting.identity.national_id import BadId, NationalId, canonical_name, parse_national_id
from services.voting.identity.phones import canonical_phone
from services.voting.identity.round_keys import RoundKeys, keyed
from services.voting.identity.verification import Verdict, Verifier
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound

_NAME_MAX_CHARS = 60
_STATION = "A station can help with another proof of identity."


class Typed(msgspec.Struct, frozen=True):
    """What a person declared beside phone and code; `consent_id` is the separate consent for the ID."""

    national_id: str = ""
    name: str = ""
    consent_id: str = ""
    adult: bool | None = None


class Person(msgspec.Struct, frozen=True):
    """A well-formed claim; `national_id` is empty where the phone alone identifies."""

    phone: str
    national_id: str = ""
    name: str = ""
    consent_id: str = ""
    verified_by: str = ""


class People:
    """Checks claims and makes voters' keys."""

    def __init__(self, keys: RoundKeys, verifier: Verifier | None, regions: frozenset[str], age_min_years: int) -> None:
        self._keys, self._verifier = keys, verifier
        self._regions, self._age_min_years = regions, age_min_years

    async def close(self) -> None:
        if self._verifier is not None:
            await self._verifier.close()

    def phone(self, text: str) -> str:
        """Canonical number; raises Refusal bad_phone."""
        number = canonical_phone(text, self._regions)
        if number is None:
            told = "Enter a mainland mobile number of 11 digits." if self._regions == {"CN"} else (
                f"Enter a mobile number of {', '.join(sorted(self._regions))}, with + and the country's code."
            )  # fmt: skip
            raise Refusal(Reason.BAD_PHONE, told)
        return number

    def key(self, frozen: FrozenRound) -> bytes:
        """The round's identity key; raises Refusal identity_forgotten, or identity_unavailable where it was lost."""
        if frozen.forgotten:
            raise Refusal(Reason.IDENTITY_FORGOTTEN, "The round is over and its identity key was destroyed.")
        if frozen.has_key and self._keys.get(frozen.id) is None:
            raise _key_lost()
        return self._keys.create(frozen.id)

    def needs_id(self, frozen: FrozenRound) -> bool:
        return frozen.rules.ballot.identity == "phone_and_id"

    @property
    def regions(self) -> frozenset[str]:
        """Regions (ISO 3166) whose mobile numbers may vote."""
        return self._regions

    def takes_codes(self, frozen: FrozenRound) -> bool:
        """Whether a code can lead to a vote here: not where the round needs IDs and nobody verifies typed ones."""
        return self._verifier is not None or not self.needs_id(frozen)

    def check_possible(self, frozen: FrozenRound) -> None:
        """Raises Refusal identity_unavailable where the round needs IDs that nobody here can verify."""
        if not self.takes_codes(frozen):
            raise Refusal(
                Reason.IDENTITY_UNAVAILABLE, "This round needs verified IDs, and nobody here is set up to verify them."
            )

    def claim(self, frozen: FrozenRound, phone: str, typed: Typed, now_s: float) -> Person:
        """What is claimed, checked as far as anybody can without asking; raises Refusal too_young, consent_missing,
        bad_national_id, bad_form or identity_unavailable."""
        if typed.adult is False:
            raise Refusal(Reason.TOO_YOUNG, f"Voters are {self._age_min_years} or older.")
        if not self.needs_id(frozen):
            return Person(phone)
        self.check_possible(frozen)
        found = self.checked_id(frozen, typed.national_id, typed.consent_id, now_s)
        name = canonical_name(typed.name)
        if not 0 < len(name) <= _NAME_MAX_CHARS:
            raise Refusal(Reason.BAD_FORM, "Enter the name as it stands on the ID card.")
        return Person(phone, found.number, name, typed.consent_id)

    def checked_id(self, frozen: FrozenRound, text: str, consent_id: str, now_s: float) -> NationalId:
        """A plausible ID of somebody old enough who agreed to its use; raises Refusal."""
        self.check_id_consent(frozen, consent_id)
        today = datetime.fromtimestamp(now_s, UTC).astimezone(frozen.zone).date()
        found = parse_national_id(text, today)
        if isinstance(found, BadId):
            raise Refusal(Reason.BAD_NATIONAL_ID, found.value)
        if found.age_years(today) < self._age_min_years:
            raise Refusal(Reason.TOO_YOUNG, f"Voters are {self._age_min_years} or older.")
        return found

    def check_id_consent(self, frozen: FrozenRound, consent_id: str) -> None:
        """Raises Refusal consent_missing: an ID needs a consent of its own."""
        if not consent_id or consent_id != frozen.message.consent:
            raise Refusal(
                Reason.CONSENT_MISSING,
                f"Agree to the use of your ID in version {frozen.message.consent} of the privacy notice (consent_id).",
            )

    async def verify(self, person: Person) -> Person:
        """The same person with who verified it; raises Refusal identity_conflict or identity_unavailable.

        No database connection may be held while this is awaited: the provider may hang.
        """
        if not person.national_id or person.verified_by:
            return person
        assert self._verifier is not None
        verdict = await self._verifier.verify(person.name, person.national_id, person.phone)
        match verdict:
            case Verdict.MATCH:
                return msgspec.structs.replace(person, verified_by=self._verifier.name)
            case Verdict.MISMATCH:
                raise Refusal(Reason.IDENTITY_CONFLICT, f"Name, ID and phone do not belong to one person. {_STATION}")
            case Verdict.UNKNOWN:
                raise Refusal(Reason.IDENTITY_CONFLICT, f"This name, ID and phone could not be confirmed. {_STATION}")
            case Verdict.UNAVAILABLE:
                raise Refusal(
                    Reason.IDENTITY_UNAVAILABLE, "IDs cannot be verified at the moment; try again.", retry_after_s=30
                )

    async def voter_key(self, connection: Connection, frozen: FrozenRound, person: Person) -> bytes:
        """The key the ledger knows this person by; binds ID and phone. Raises Refusal identity_conflict, or
        identity_unavailable where this is not the key that others were signed in under."""
        key = self.key(frozen)
        if not await binding_store.is_key_of(connection, frozen.number, keyed(key, "fingerprint", "")):
            raise _key_lost()
        phone_key = keyed(key, "phone", person.phone)
        if not person.national_id:
            return phone_key
        id_key, places = keyed(key, "id", person.national_id), frozen.rules.ballot.persons_per_phone
        bound = await binding_store.bind(
            connection, frozen.number, id_key, phone_key, places, person.consent_id, person.verified_by
        )
        if not bound:
            raise Refusal(
                Reason.IDENTITY_CONFLICT, f"This ID was used with another phone, or this phone by others. {_STATION}"
            )
        return id_key


def _key_lost() -> Refusal:
    return Refusal(
        Reason.IDENTITY_UNAVAILABLE,
        "Nobody can be signed in: this round's identity key is missing on the server, and has to be put back.",
        retry_after_s=60,
    )

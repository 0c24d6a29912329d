"""What a person declares on signing in, whichever way the phone is proven: one shape for every form that takes it.

Included by the forms of codes, stations, WeChat and OpenID; `phone` and proofs belong to the forms themselves.
"""

from __future__ import annotations

import msgspec

from services.shared.errors import Refusal
from services.voting.identity.people import Typed
from services.voting.reasons import Reason
from services.voting.rounds import FrozenRound

_DISTRICT_MAX_CHARS = 40


class Declaration(msgspec.Struct):
    """`consent` is the version of the privacy notice, `consent_id` the separate consent for the ID, `adult` declares
    the voter's age; `district` is asked for where the rules split counts by it."""

    consent: str = ""
    district: str = ""
    consent_id: str = ""
    adult: bool | None = None

    def typed(self) -> Typed:
        """What `People` checks."""
        return Typed(consent_id=self.consent_id, adult=self.adult)

    def check_consent(self, frozen: FrozenRound) -> None:
        """Raises Refusal consent_missing unless the present privacy notice was agreed to."""
        if not self.consent or self.consent != frozen.message.consent:
            raise Refusal(
                Reason.CONSENT_MISSING, f"Agree to version {frozen.message.consent} of the privacy notice first."
            )

    def stratum(self, frozen: FrozenRound) -> str:
        """The declared district, where the rules ask for one; it only splits the published counts. Refusal bad_form."""
        if frozen.rules.ballot.stratum != "declared":
            return ""
        district = " ".join(self.district.split())
        if len(district) > _DISTRICT_MAX_CHARS:
            raise Refusal(Reason.BAD_FORM, f"district has at most {_DISTRICT_MAX_CHARS} characters.")
        return district


class DeclarationWithId(Declaration):
    """The same from somebody who types name and ID; an issuer that vouches for them is not told them here."""

    national_id: str = ""
    name: str = ""

    def typed(self) -> Typed:
        return Typed(self.national_id, self.name, self.consent_id, self.adult)

"""What a unit (单位) may be: pure checks of registrations, changes, and who may see and decide what.

A municipal unit's channel need not have an officer: the committee office's administrators decide for every channel, so
nothing waits for an officer who does not exist. Nobody decides on the unit they belong to.
"""

import re
import unicodedata
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.registry.reasons import RegistryReason
from services.registry.rounds import credit_code
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff
from services.shared.vocabulary import LEAD_KINDS, PARTNER_KINDS

UNIT_KINDS = LEAD_KINDS | PARTNER_KINDS
TEXT_MAX = 200
_YEAR_MIN = 1949
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]{1,63}(\.[^@\s.]{1,63})+")
# What a district approved may change only when it approves again.
GUARDED = ("name", "kind", "credit_code", "channel")


class UnitState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    CLOSED = "closed"


class Decision(StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"
    CLOSED = "closed"


class UnitFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Registration facts as on the licence; `last_inspection_year` where the kind is inspected annually."""

    registration_number: str
    registration_authority: str
    registered_on: date
    legal_representative: str
    address: str
    last_inspection_year: int | None = None


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the office writes to."""

    name: str
    email: str


class NewUnit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /units`; `altcha` is the solved challenge where one was asked for."""

    name: str
    kind: str
    credit_code: str
    channel: str
    facts: UnitFacts
    contact: Contact
    altcha: str = ""


class UnitChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH /units/{unit}`: what is left out stays; `version` is the one that was read."""

    version: int
    name: str | None = None
    kind: str | None = None
    credit_code: str | None = None
    channel: str | None = None
    facts: UnitFacts | None = None
    contact: Contact | None = None

    def guarded(self) -> dict[str, str]:
        """What needs approval, as it was given."""
        given: dict[str, Any] = {name: getattr(self, name) for name in GUARDED}
        return {name: value for name, value in given.items() if value is not None}


class UnitDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /units/{unit}/decisions`; a reason is needed unless it is an approval."""

    decision: Decision
    version: int
    reason: str = ""


class UnitLine(msgspec.Struct, frozen=True):
    """A unit in a list: nothing personal."""

    unit: str
    name: str
    kind: str
    credit_code: str
    channel: str
    channel_name: str
    state: str
    version: int
    created_at: datetime
    change_pending: bool


class DecisionLine(msgspec.Struct, frozen=True):
    """A decision on a unit, with its reason."""

    decision: str
    subject: str
    reason: str
    decided_by: str
    decided_at: datetime


class OpenChange(msgspec.Struct, frozen=True):
    """A change that waits for approval."""

    wanted: dict[str, str]
    asked_by: str
    asked_at: datetime


class Unit(msgspec.Struct, frozen=True):
    """A whole unit as its own people and the office see it."""

    line: UnitLine
    facts: dict[str, Any]
    contact: Contact | None
    change: OpenChange | None
    decisions: list[DecisionLine]


def canonical_code(text: str) -> str:
    """A credit code as it is stored: full-width characters and small letters count as the plain ones."""
    return unicodedata.normalize("NFKC", text).strip().upper()


def checked(wanted: NewUnit, today: date) -> NewUnit:
    """The registration as it is to be stored; raises Refusal `bad_unit` saying what is wrong."""
    values = {name: getattr(wanted, name) for name in GUARDED}
    return msgspec.structs.replace(
        wanted,
        **checked_guarded(values),
        facts=checked_facts(wanted.facts, today),
        contact=checked_contact(wanted.contact),
    )


def checked_guarded(values: dict[str, str]) -> dict[str, str]:
    """Name, kind, credit code and channel, as far as given, as they are to be stored."""
    found = {key: text.strip() for key, text in values.items()}
    if "credit_code" in found:
        found["credit_code"] = canonical_code(found["credit_code"])
        if not credit_code.is_valid(found["credit_code"]):
            raise _bad("credit_code fails the check of GB 32100; compare its 18 characters with the licence.")
    if "kind" in found and found["kind"] not in UNIT_KINDS:
        raise _bad(f"kind {found['kind'][:40]!r} is unknown; use any of: {', '.join(UNIT_KINDS)}.")
    if "name" in found:
        _require_line("name", found["name"])
    return found


def checked_facts(facts: UnitFacts, today: date) -> UnitFacts:
    """The facts as they are to be stored; raises Refusal `bad_unit`."""
    texts = ("registration_number", "registration_authority", "legal_representative", "address")
    plain = {name: str(getattr(facts, name)).strip() for name in texts}
    for name, text in plain.items():
        _require_line(f"facts.{name}", text)
    if facts.registered_on.year < _YEAR_MIN or facts.registered_on > today:
        raise _bad("facts.registered_on must be the day of registration, not a day to come.")
    year = facts.last_inspection_year
    if year is not None and not facts.registered_on.year <= year <= today.year:
        raise _bad("facts.last_inspection_year must lie between the registration and this year.")
    return msgspec.structs.replace(facts, **plain)


def checked_contact(contact: Contact) -> Contact:
    """The contact as it is to be stored; raises Refusal `bad_unit`."""
    plain = Contact(contact.name.strip(), contact.email.strip())
    _require_line("contact.name", plain.name)
    if len(plain.email) > TEXT_MAX or not _EMAIL.fullmatch(plain.email):
        raise _bad("contact.email must be an address like office@example.org.")
    return plain


def _require_line(key: str, text: str) -> None:
    if not text or len(text) > TEXT_MAX or not text.isprintable():
        raise _bad(f"{key} must have 1 to {TEXT_MAX} characters on one line.")


def _bad(detail: str) -> Refusal:
    return Refusal(RegistryReason.BAD_UNIT, detail)


def unknown(unit: str) -> Refusal:
    """Also the answer where the unit is none of the asker's business: its existence is not told."""
    return Refusal(RegistryReason.UNKNOWN_UNIT, f"There is no unit {unit[:64]!r}.")


def may_see(staff: Staff, unit: str, channel: str) -> bool:
    """The office and auditors see every unit, officers those of their channel, applicants their own."""
    if staff.has(Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR):
        return True
    officer = staff.has(Role.CHANNEL_OFFICER) and bool(staff.channel) and staff.channel == channel
    return officer or (staff.has(Role.APPLICANT) and bool(staff.unit) and staff.unit == unit)


def conflict(staff: Staff, unit: str, channel: str) -> Refusal | None:
    """Why somebody who may see a unit may not decide on it, None where they may.

    An officer decides for their channel; the office for all channels but its people's own.
    """
    if staff.unit and staff.unit == unit:
        return Refusal(RegistryReason.CONFLICT_OF_INTEREST, "This is your own unit; somebody else must decide.")
    if staff.has(Role.CHANNEL_OFFICER) and staff.channel == channel:
        return None
    if not staff.has(Role.ADMINISTRATOR):
        return Refusal(CommonReason.FORBIDDEN, "The unit's district or an administrator decides.")
    if staff.channel and staff.channel == channel:
        return Refusal(RegistryReason.CONFLICT_OF_INTEREST, "This is your own channel; somebody else must decide.")
    return None


def actions(staff: Staff, unit: Unit) -> list[str]:
    """What this person may do with the unit now."""
    line = unit.line
    found = []
    if staff.has(Role.APPLICANT) and staff.unit == line.unit and line.state == UnitState.APPROVED:
        found.append("change")
    if conflict(staff, line.unit, line.channel) is None:
        if line.state == UnitState.PENDING or unit.change is not None:
            found.append("decide")
        if line.state == UnitState.APPROVED:
            found.append("invite")
            found += ["close"] if staff.has(Role.ADMINISTRATOR) else []
    return found


def require_reason(decision: UnitDecision) -> str:
    """The reason as it is to be stored; raises Refusal `reason_missing`, for who is refused must be told why."""
    reason = decision.reason.strip()
    if decision.decision is not Decision.APPROVED and not reason:
        raise Refusal(RegistryReason.REASON_MISSING, "Say why, in one or two sentences; the unit reads it.")
    if len(reason) > 5 * TEXT_MAX:
        raise _bad(f"reason is longer than {5 * TEXT_MAX} characters; shorten it.")
    return reason

"""What an objection may be, and where it may go next. Pure.

Named (实名) and sealed (密封) objections are owed a reply and hold up the list's confirmation. A lead (线索) came
without a name: it is looked into, and holds up nothing.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

TEXT_MIN, TEXT_MAX = 10, 5000
REPLY_MAX = 4000
_NAME_MAX, _PHONE_MAX = 60, 40


class ObjectionKind(StrEnum):
    """How the objector stands behind it."""

    NAMED = "named"
    SEALED = "sealed"
    LEAD = "lead"


class Medium(StrEnum):
    """How it came."""

    ONLINE = "online"
    LETTER = "letter"
    VISIT = "visit"
    PHONE = "phone"
    OTHER = "other"


class Ground(StrEnum):
    """What it is about."""

    NOT_CONFORMING = "not_conforming"
    UNTRUE = "untrue"
    VIOLATION = "violation"
    COUNT = "count"
    PROCEDURE = "procedure"
    OTHER = "other"


GROUND_NAMES = {
    Ground.NOT_CONFORMING: "不符合申报条件", Ground.UNTRUE: "材料不实", Ground.VIOLATION: "违反评选纪律",
    Ground.COUNT: "票数或分数有误", Ground.PROCEDURE: "程序问题", Ground.OTHER: "其他",
}  # fmt: skip


class ObjectionState(StrEnum):
    """Where it stands; `deciding` waits for the second signature under upholding it, `noted` is a lead's end."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    DECIDING = "deciding"
    UPHELD = "upheld"
    NOT_UPHELD = "not_upheld"
    NOTED = "noted"


OPEN_STATES = (ObjectionState.RECEIVED, ObjectionState.ASSIGNED, ObjectionState.DECIDING)


class Decision(StrEnum):
    UPHELD = "upheld"
    NOT_UPHELD = "not_upheld"
    NOTED = "noted"


class Remedy(StrEnum):
    """What follows from upholding: nothing more than the reply, changes of the list, or a new ranking by scoring."""

    NONE = "none"
    LIST_CHANGE = "list_change"
    NEW_RANKING = "new_ranking"


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who objects; stored only encrypted."""

    name: str
    phone: str


class Filing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /rounds/{round}/objections`; without `candidate` it concerns the list as a whole."""

    kind: ObjectionKind
    ground: Ground
    text: str
    name: str
    phone: str
    candidate: str | None = None
    altcha: str = ""


class OfflineFiling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /rounds/{round}/objections/offline`: what came on paper, by phone or without a name."""

    kind: ObjectionKind
    medium: Medium
    ground: Ground
    text: str
    received_on: date
    name: str = ""
    phone: str = ""
    candidate: str | None = None


class Notice(Protocol):
    """What of a list version decides whether an objection comes in time (`lists.store.Version`)."""

    @property
    def version(self) -> int: ...
    @property
    def objections_open_at(self) -> datetime: ...
    @property
    def objections_close_at(self) -> datetime: ...
    @property
    def touched(self) -> list[str] | None: ...


def notice_for(notices: Sequence[Notice], candidate: str | None, at: datetime) -> int:
    """The newest version whose window takes an objection at this moment.

    A notice that followed a change takes objections against what it changed; the windows of earlier notices run on for
    the rest. Raises Refusal `unknown_notice`, `not_yet_open` or `deadline_passed`.
    """
    fitting = [each for each in notices if each.touched is None or candidate is None or candidate in each.touched]
    if not fitting:
        raise Refusal(RegistryReason.UNKNOWN_NOTICE, "Nothing has been published that could be objected to.")
    for each in sorted(fitting, key=lambda notice: -notice.version):
        if each.objections_open_at <= at < each.objections_close_at:
            return each.version
    last = max(fitting, key=lambda notice: notice.version)
    if at < last.objections_open_at:
        raise Refusal(
            RegistryReason.NOT_YET_OPEN, "Objections are taken from the day after publication.",
            opens_at=last.objections_open_at,
        )  # fmt: skip
    raise Refusal(
        RegistryReason.DEADLINE_PASSED, "The time for objections is over; the office can still be told by phone.",
        closed_at=max(each.objections_close_at for each in fitting),
    )  # fmt: skip


def midday(day: date, timezone: str) -> datetime:
    """The moment that decides for what came on paper on a day: days are whole, windows begin and end at midnight."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(timezone))


def require_filing(filing: Filing) -> Person:
    """The objector of a sound filing; raises Refusal `bad_objection`."""
    if filing.kind is ObjectionKind.LEAD:
        raise Refusal(
            RegistryReason.BAD_OBJECTION, "Give your name and a phone, named or sealed; nobody else sees them."
        )
    _require_text(filing.text)
    return _person(filing.name, filing.phone)


def require_offline(filing: OfflineFiling, today: date) -> Person | None:
    """The objector of what came offline, None for a lead; raises Refusal `bad_objection`."""
    _require_text(filing.text)
    if filing.medium is Medium.ONLINE or filing.received_on > today:
        raise Refusal(RegistryReason.BAD_OBJECTION, "Say how it came, and on which day up to today.")
    if filing.kind is ObjectionKind.LEAD:
        if filing.name.strip() or filing.phone.strip():
            raise Refusal(RegistryReason.BAD_OBJECTION, "What has a name is no lead; enter it as named or sealed.")
        return None
    return _person(filing.name, filing.phone)


def _require_text(text: str) -> None:
    if not TEXT_MIN <= len(text.strip()) <= TEXT_MAX or "\0" in text:
        detail = f"Say in {TEXT_MIN} to {TEXT_MAX} characters what you object to, and on which facts."
        raise Refusal(RegistryReason.BAD_OBJECTION, detail)


def _person(name: str, phone: str) -> Person:
    person = Person(name.strip(), phone.strip())
    if not person.name or len(person.name) > _NAME_MAX or not person.name.isprintable():
        raise Refusal(RegistryReason.BAD_OBJECTION, f"name must be 1 to {_NAME_MAX} characters.")
    digits = sum(letter.isdecimal() for letter in person.phone)
    if not 7 <= digits <= 20 or len(person.phone) > _PHONE_MAX:
        raise Refusal(RegistryReason.BAD_OBJECTION, "phone must be a number at which the office can call you back.")
    return person

"""Bodies of the acts on a list, as people send them. Pure."""

from datetime import date, datetime

import msgspec

from services.registry.lists.changes import Change

LINE_MAX = 120
TEXT_MAX = 2000


class WantedChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes on the list of `version`; `objection` is the receipt they follow from, `release_at` when to publish."""

    version: int
    changes: list[Change]
    objection: str | None = None
    release_at: datetime | None = None


class WantedConfirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The meeting that confirms a list; `minutes` is an attachment of the list."""

    meeting_number: str
    held_on: date
    minutes: str | None = None
    release_at: datetime | None = None


class WantedRetraction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a list is taken back; published as it stands."""

    text: str

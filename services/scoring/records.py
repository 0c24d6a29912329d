"""What the store gives and takes: frozen records of sheets, tallies and rankings. No behaviour, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class SheetState(StrEnum):
    """Where a score sheet stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RECUSED = "recused"


class SheetAct(StrEnum):
    """What can happen to a sheet; each act makes a version."""

    SAVED = "saved"
    SUBMITTED = "submitted"
    RECUSED = "recused"
    REOPENED = "reopened"
    RESTORED = "restored"
    ENTERED = "entered"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One expert's sheet on one candidate; version 0 is a sheet that was never saved."""

    round: str
    candidate: str
    expert: str
    version: int = 0
    state: SheetState = SheetState.DRAFT
    marks: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    may_finish: bool = False
    saved_at: datetime | None = None
    submitted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SheetStatus:
    """A sheet without its marks, for whoever watches progress."""

    candidate: str
    expert: str
    state: SheetState


@dataclass(frozen=True, slots=True)
class Tally:
    """A sealed tally, its content still encrypted."""

    version: int
    digest: str
    sealed_at: datetime
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Reopening:
    """What happened to ballots since tally `version`: holds undecided, ballots excluded or restored."""

    version: int
    undecided: int
    excluded: int
    restored: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """A computed ranking with its publication, if it has one; `body` is what API and pages show."""

    round: str
    version: int
    rules_digest: str
    tally_version: int | None
    tally_digest: str
    sheets_digest: str
    inputs_digest: str
    digest: str
    software: str
    proposed_by: str
    created_at: datetime
    body: dict[str, Any] = field(default_factory=dict)
    confirmed_by: str = ""
    published_at: datetime | None = None

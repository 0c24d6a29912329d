"""A stored round as callers see it: phase, windows, public facts. Pure values; built by `store.py`."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from services.shared.messages import CandidateCard, CriterionText, RoundEvent, RoundMessage
from services.shared.ranking.model import Window
from services.shared.ranking.rules import parse_rules


class Phase(StrEnum):
    """Where a round stands, as far as the registry knows (whether it is sealed, voting knows)."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    CLOSED = "closed"
    PUBLISHED = "published"


def phase_of(opens_at: datetime | None, ends_at: datetime | None, list_version: int, now: datetime) -> Phase:
    """The phase at `now`; a round without a vote is scheduled until it has a list."""
    if list_version:
        return Phase.PUBLISHED
    if opens_at is None or ends_at is None or now < opens_at:
        return Phase.SCHEDULED
    return Phase.OPEN if now < ends_at else Phase.CLOSED


class Round(msgspec.Struct, frozen=True):
    """A frozen round with its present state; `lots_seed` is empty until it was revealed."""

    round: str
    version: int
    title: str
    timezone: str
    digest: str
    rules: str
    consent: str
    number_seed: str
    number_commitment: str
    rehearsal: bool
    open_for_s: int | None
    voting_opens_at: datetime | None
    voting_closes_at: datetime | None
    frozen_at: datetime
    warnings: list[str]
    candidates: list[CandidateCard]
    criteria: list[CriterionText]
    experts: list[str]
    events: list[RoundEvent]
    lots_seed: str
    list_version: int
    ranking_version: int
    closed_early_at: datetime | None
    removed_at: datetime | None
    tally_digest: str = ""
    extended_to: datetime | None = None
    extensions: list[RoundEvent] = []

    @property
    def voting_ends_at(self) -> datetime | None:
        """The moment in force: closed by hand, else extended after an outage, else as the rules say."""
        return self.closed_early_at or self.extended_to or self.voting_closes_at

    @property
    def public_events(self) -> list[RoundEvent]:
        """Everything that happened to the round, what voting decided too; `message` leaves that to voting."""
        return sorted([*self.events, *self.extensions], key=lambda event: event.at)

    def phase(self, now: datetime) -> Phase:
        return phase_of(self.voting_opens_at, self.voting_ends_at, self.list_version, now)

    def message(self) -> RoundMessage:
        """The whole state for `registry.rounds`."""
        return RoundMessage(
            round=self.round, version=self.version, digest=self.digest, rules=self.rules, frozen_at=self.frozen_at,
            consent=self.consent, candidates=self.candidates, criteria=self.criteria, experts=self.experts,
            events=self.events, lots_seed=self.lots_seed, list_version=self.list_version,
            ranking_version=self.ranking_version, rehearsal=self.rehearsal, closed_early_at=self.closed_early_at,
            removed_at=self.removed_at, tally_digest=self.tally_digest,
        )  # fmt: skip

    def windows(self) -> dict[str, dict[str, datetime]]:
        """Name → opens and closes, in the round's own offset, for the windows it has."""
        windows = parse_rules(self.rules.encode()).windows
        found: dict[str, Window | None] = {
            "application": windows.application,
            "recommendation": windows.recommendation,
            "voting": windows.voting,
            "scoring": windows.scoring,
        }
        return {name: {"opens": each.opens, "closes": each.closes} for name, each in found.items() if each}


class RoundLine(msgspec.Struct, frozen=True):
    """A round in a list of rounds."""

    round: str
    title: str
    digest: str
    version: int
    candidates: int
    frozen_at: datetime
    voting_opens_at: datetime | None
    voting_ends_at: datetime | None
    list_version: int
    rehearsal: bool
    removed_at: datetime | None

    def phase(self, now: datetime) -> Phase:
        return phase_of(self.voting_opens_at, self.voting_ends_at, self.list_version, now)


def line_facts(line: RoundLine, now: datetime) -> dict[str, Any]:
    """The public facts of one round in a list."""
    return {**msgspec.structs.asdict(line), "phase": line.phase(now)}


def loaded_facts(round_: Round) -> dict[str, Any]:
    """The answer to loading a round."""
    return {
        "round": round_.round,
        "version": round_.version,
        "digest": round_.digest,
        "rules": round_.rules,
        "windows": round_.windows(),
        "candidates": len(round_.candidates),
        "number_seed": round_.number_seed,
        "number_commitment": round_.number_commitment,
        "rehearsal": round_.rehearsal,
        "warnings": round_.warnings,
    }


def public_facts(round_: Round, now: datetime) -> dict[str, Any]:
    """Everything the public may know of a round."""
    return {
        **loaded_facts(round_),
        "title": round_.title,
        "timezone": round_.timezone,
        "phase": round_.phase(now),
        "frozen_at": round_.frozen_at,
        "closed_early_at": round_.closed_early_at,
        "lots_seed": round_.lots_seed,
        "list_version": round_.list_version,
        "ranking_version": round_.ranking_version,
        "events": round_.public_events,
        "candidates": [card_facts(card) for card in round_.candidates],
    }


def card_facts(card: CandidateCard) -> dict[str, Any]:
    """What the public sees of a candidate."""
    return {name: value for name, value in msgspec.structs.asdict(card).items() if name != "parties"}

"""Conflicts of interest that facts tell: own unit, recommending channel, partner, earlier employer. Pure.

A unit is known by its identity in the registry or by its name, an account by either: one of both is enough.

What only the expert knows is declared on the sheet (`sheets.recuse`). Called when a round is read, before a draw, and
before an administrator touches a candidate.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from services.shared.messages import CandidateCard, Party


class Tie(StrEnum):
    """What binds a person to a candidate."""

    UNIT = "unit"
    CHANNEL = "channel"
    PARTNER = "partner"
    EMPLOYER = "employer"


class Facts(msgspec.Struct, frozen=True):
    """What is known of a person: units by identity or name, the channel by identity or title; empty where unknown.

    `partners` are units the person works with, `employers` those of before.
    """

    unit: str = ""
    channel: str = ""
    employers: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()


def ties(facts: Facts, card: CandidateCard) -> tuple[Tie, ...]:
    """Every tie of a person to a candidate, in the order of `Tie`; who joins an application is as much behind it."""
    lead, partners = _behind(card, "lead") | _named(card.unit), _behind(card, "partner")
    channels = _named(card.channel, card.channel_title)
    own, others, before = _named(facts.unit), _named(*facts.partners), _named(*facts.employers)
    told = {
        Tie.UNIT: own & lead,
        Tie.CHANNEL: _named(facts.channel) & channels,
        Tie.PARTNER: (own & partners) | (others & (lead | partners)),
        Tie.EMPLOYER: before & (lead | partners),
    }
    return tuple(tie for tie, shared in told.items() if shared)


def is_behind(unit: str, card: CandidateCard) -> bool:
    """Whether a unit, by identity or name, applied with this candidate, as lead or as partner."""
    return bool(_named(unit) & (_named(card.unit) | _behind(card, "lead") | _behind(card, "partner")))


def _behind(card: CandidateCard, role: str) -> set[str]:
    parties: list[Party] = [each for each in card.parties if each.role == role]
    return _named(*(name for each in parties for name in (each.unit, each.name)))


def _named(*names: str) -> set[str]:
    """The names in one form, full-width and half-width, spaces and case meaning the same, without empty ones."""
    plain = ("".join(unicodedata.normalize("NFKC", name).split()).casefold() for name in names)
    return {name for name in plain if name}


def conflicts(
    people: Iterable[tuple[str, Facts]], cards: Iterable[CandidateCard], lifted: frozenset[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """Candidates each person must not score, by user name; `lifted` are (expert, candidate) found to be no conflict.

    A person may be told more than once, by account and by pool: every fact counts.
    """
    # By name rather than pair by pair: a round of thousands is read anew whenever an account changes.
    units: dict[str, set[str]] = {}
    channels: dict[str, set[str]] = {}
    for card in cards:
        for name in _named(card.unit) | _behind(card, "lead") | _behind(card, "partner"):
            units.setdefault(name, set()).add(card.candidate)
        for name in _named(card.channel, card.channel_title):
            channels.setdefault(name, set()).add(card.candidate)
    found: dict[str, set[str]] = {}
    for expert, facts in people:
        names = _named(facts.unit, *facts.partners, *facts.employers)
        tied = set().union(*(units.get(name, set()) for name in names))
        tied = tied.union(*(channels.get(name, set()) for name in _named(facts.channel)))
        if tied := {candidate for candidate in tied if (expert, candidate) not in lifted}:
            found.setdefault(expert, set()).update(tied)
    return {expert: frozenset(tied) for expert, tied in found.items()}


def in_conflict(found: Mapping[str, frozenset[str]], expert: str, candidate: str) -> bool:
    return candidate in found.get(expert, frozenset())

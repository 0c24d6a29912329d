"""Conflicts of interest that facts tell: own unit, recommending channel, partner, earlier employer. Pure.

What only the expert knows is declared on the sheet (`sheets.recuse`). Called when a round is read, before a draw, and
before an administrator touches a candidate.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from services.shared.messages import CandidateCard


class Tie(StrEnum):
    """What binds a person to a candidate."""

    UNIT = "unit"
    CHANNEL = "channel"
    PARTNER = "partner"
    EMPLOYER = "employer"


class Facts(msgspec.Struct, frozen=True):
    """What is known of a person; names as the registry and the pool write them, empty where unknown."""

    unit: str = ""
    channel: str = ""
    employers: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()


def ties(facts: Facts, card: CandidateCard) -> tuple[Tie, ...]:
    """Every tie of a person to a candidate, in the order of `Tie`."""
    unit, channels = _plain(card.unit), {_plain(card.channel), _plain(card.channel_title)} - {""}
    found = []
    if unit and _plain(facts.unit) == unit:
        found.append(Tie.UNIT)
    if _plain(facts.channel) in channels:
        found.append(Tie.CHANNEL)
    if unit and unit in map(_plain, facts.partners):
        found.append(Tie.PARTNER)
    if unit and unit in map(_plain, facts.employers):
        found.append(Tie.EMPLOYER)
    return tuple(found)


def conflicts(
    people: Iterable[tuple[str, Facts]], cards: Iterable[CandidateCard], lifted: frozenset[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """Candidates each person must not score, by user name; `lifted` are (expert, candidate) found to be no conflict.

    A person may be told more than once, by account and by pool: every fact counts.
    """
    kept = list(cards)
    found: dict[str, set[str]] = {}
    for expert, facts in people:
        tied = {card.candidate for card in kept if ties(facts, card) and (expert, card.candidate) not in lifted}
        if tied:
            found.setdefault(expert, set()).update(tied)
    return {expert: frozenset(tied) for expert, tied in found.items()}


def in_conflict(found: Mapping[str, frozenset[str]], expert: str, candidate: str) -> bool:
    return candidate in found.get(expert, frozenset())


def _plain(name: str) -> str:
    """One form of a name: full-width and half-width, spaces and case mean the same."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()

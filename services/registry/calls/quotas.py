"""Quotas of recommendation: per channel, or per unit where a channel's units apply directly. Pure.

A municipal unit (市级单位) applies directly, so that its quota is the unit's own; that of a district
or zone is the channel's.
An exemption adds places for one channel, or for one unit of a direct channel.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

DIRECT_KIND = "municipal_unit"


class Entry(msgspec.Struct, frozen=True):
    """An application as far as recommending is concerned."""

    application: str
    unit: str
    unit_name: str
    title: str
    level: str
    category: str
    stage: str
    submitted_at: datetime | None


class Exemption(msgspec.Struct, frozen=True):
    """Places beyond a quota; they count once `confirmed_by` is there."""

    exemption: str
    call: str
    channel: str
    unit: str | None
    places: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None


def places_of(quota: int | None, exemptions: Iterable[Exemption], unit: str | None = None) -> int | None:
    """Places of a channel (unit None) or of a unit: the quota and what is exempted from it; None is without limit."""
    if quota is None:
        return None
    return quota + sum(each.places for each in exemptions if each.confirmed_by and each.unit == unit)


def excess(kind: str, quota: int | None, exemptions: list[Exemption], ranked: Iterable[Entry]) -> str:
    """Who is beyond the places, as a sentence; empty where nobody is."""
    chosen = list(ranked)
    if kind != DIRECT_KIND:
        places = places_of(quota, exemptions)
        if places is not None and len(chosen) > places:
            return f"{len(chosen)} are ranked and the channel has {places} places; take some back or get an exemption."
        return ""
    names = {each.unit: each.unit_name for each in chosen}
    for unit, count in Counter(each.unit for each in chosen).items():
        places = places_of(quota, exemptions, unit)
        if places is not None and count > places:
            return f"{names[unit]} stands with {count} and has {places} places; take some back or get an exemption."
    return ""


def direct_choice(
    quota: int | None, exemptions: list[Exemption], entries: Iterable[Entry]
) -> tuple[list[str], dict[str, str]]:
    """(recommended, not recommended with reason) of a direct channel that has no officer: by time of submission."""
    taken: Counter[str] = Counter()
    ranked, left = [], {}
    for each in sorted(entries, key=lambda entry: (str(entry.submitted_at), entry.application)):
        places = places_of(quota, exemptions, each.unit)
        if places is None or taken[each.unit] < places:
            ranked.append(each.application)
            taken[each.unit] += 1
        else:
            left[each.application] = "over_quota"
    return ranked, left


def misplaced(
    entries: Mapping[str, Entry], ranked: list[str], not_recommended: Mapping[str, str], reason_max: int
) -> str:
    """What is wrong with a recommendation as such, as a sentence; empty where nothing is."""
    if len(set(ranked)) != len(ranked):
        return "An application is ranked twice; name each once."
    if both := set(ranked) & not_recommended.keys():
        return f"{min(both)} is ranked and not recommended; choose one."
    for application in [*ranked, *not_recommended]:
        if application not in entries:
            return f"{application[:64]} is no submitted application of this channel; load the list again."
    for application, reason in not_recommended.items():
        if not 0 < len(reason.strip()) <= reason_max:
            return f"Say in 1 to {reason_max} characters why {application} is not recommended."
    return ""

"""Places: by total, then the links of the tie-break chain; what stays equal shares a place (1, 1, 3)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.shared.ranking.model import Rules


@dataclass(frozen=True, slots=True)
class Standing:
    """What one candidate is ordered by; empty points count 0, `aggregates` go by criterion in file order."""

    candidate: str
    total: Fraction
    expert_points: Fraction
    votes: int
    aggregates: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A candidate's place, and the last link that separated it from one with the same total ("" if none did)."""

    candidate: str
    place: int
    tie_break: str


# Smaller sorts first: numbers are negated, a lot is its hex digest.
_Key = tuple[Fraction | int | str, ...]


def order(standings: Sequence[Standing], rules: Rules, lots_seed: str | None) -> list[Place]:
    """Return the places of one group, best first; those who share one in code point order of candidate."""
    links = expand_links(rules, has_seed=lots_seed is not None)
    keys = {each.candidate: _key(each, links, rules, lots_seed or "") for each in standings}
    ordered = sorted(standings, key=lambda each: (keys[each.candidate], each.candidate))
    blocks: list[list[Standing]] = []
    for each in ordered:
        if blocks and keys[blocks[-1][0].candidate] == keys[each.candidate]:
            blocks[-1].append(each)
        else:
            blocks.append([each])
    places, first = [], 1
    for position, block in enumerate(blocks):
        neighbours = [
            keys[other[0].candidate]
            for other in (*blocks[max(0, position - 1) : position], *blocks[position + 1 : position + 2])
        ]
        link = _separating_link(keys[block[0].candidate], neighbours, links)
        places += [Place(each.candidate, first, link) for each in block]
        first += len(block)
    return places


def expand_links(rules: Rules, *, has_seed: bool) -> tuple[str, ...]:
    """Return the chain with `criteria` spelt out, heaviest first; without a seed there are no lots."""
    by_weight = sorted(rules.criteria, key=lambda criterion: -criterion.weight)
    links: list[str] = []
    for link in rules.combination.tie_break:
        if link == "criteria":
            links += [f"criterion:{criterion.id}" for criterion in by_weight]
        elif link != "lots" or has_seed:
            links.append(link)
    return tuple(links)


def _key(standing: Standing, links: Sequence[str], rules: Rules, seed: str) -> _Key:
    positions = {f"criterion:{criterion.id}": position for position, criterion in enumerate(rules.criteria)}
    key: list[Fraction | int | str] = [-standing.total]
    for link in links:
        if link == "experts":
            key.append(-standing.expert_points)
        elif link == "votes":
            key.append(-standing.votes)
        elif link == "lots":
            key.append(lot(seed, standing.candidate))
        else:
            aggregates = standing.aggregates
            key.append(-aggregates[positions[link]] if aggregates else Fraction(0))
    return tuple(key)


def lot(seed: str, candidate: str) -> str:
    """Return the lot of a candidate: SHA-256 of `seed:candidate`, hex; the smallest goes first."""
    return hashlib.sha256(f"{seed}:{candidate}".encode()).hexdigest()


def _separating_link(own: _Key, neighbours: Sequence[_Key], links: Sequence[str]) -> str:
    """Keys are sorted link by link, so that nobody is closer than the next different one on either side."""
    last = 0
    for other in neighbours:
        first_difference = next(i for i in range(len(own)) if own[i] != other[i])
        last = max(last, first_difference)
    return links[last - 1] if last > 0 else ""

"""How firm the places are: the ranking made again from panels and votes that could as well have come about.

Each draw takes every panel's experts with replacement and every count as a Poisson number of the count, and ranks by
exactly the rules, rounding and ties included. Independent counts leave aside that one ballot names several candidates.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from services.shared.ranking.expert_scores import ExpertScore, PanelValues, panel_values, score_panel
from services.shared.ranking.result import Ranking
from services.shared.ranking.statistics.draws import Draws
from services.shared.ranking.statistics.source import Source

DRAWS: Final = 2_000
# Marks and counts looked at over all draws; a larger round gets fewer draws, and the document says how many.
WORK_MAX: Final = 20_000_000
DRAWS_MIN: Final = 20
# The middle 95 % of the draws; two candidates are separable when at most 5 % of the draws turn them round.
OUTSIDE: Final = Fraction(5, 100)
# In long lists only candidates near to each other are compared: at most so many places on, and so many pairs in all.
NEIGHBOURS_MAX: Final = 50
PAIRS_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class PlaceInterval:
    """The places of the middle 95 % of the draws, and in which share of all draws the candidate was selected."""

    group: str
    place: int
    candidate: str
    lowest: int
    highest: int
    selected_share: Fraction


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates whose order more than 5 % of the draws turn round or into a tie; `candidate` is the better one."""

    group: str
    candidate: str
    other: str
    turned_share: Fraction


@dataclass(frozen=True, slots=True)
class Intervals:
    """What resampling says; `draws` of the seed were made, pairs compared up to `neighbours` rows apart."""

    draws: int
    neighbours: int
    places: tuple[PlaceInterval, ...]
    not_separable: tuple[Pair, ...]


def draws_for(source: Source, wanted: int = DRAWS) -> int:
    """Return how many draws a round of this size gets."""
    marks = 0 if source.marks is None else sum(len(of) for of in source.marks.sheets.values())
    work = marks * max(1, len(source.rules.criteria)) + len(source.votes or ()) + len(source.ranking.rows)
    return min(wanted, max(DRAWS_MIN, WORK_MAX // max(1, work)))


def rank_intervals(
    source: Source, draws: Draws, count: int, progress: Callable[[int], None] | None = None
) -> Intervals:
    """Rank `count` times from resampled panels and votes; `progress` is told the number of each draw made."""
    panels = {}
    if source.marks is not None:
        panels = dict(panel_values(source.marks, source.rules, source.groups))
    blocks = _blocks(panels)
    tally = _Tally(source.ranking)
    for number in range(1, count + 1):
        scores = None if source.scores is None else _drawn_scores(source, panels, blocks, draws)
        votes = source.votes
        if votes is not None:
            # In order of their names: the order of a file's rows must not change which number goes to whom.
            votes = {key: draws.poisson(votes[key]) for key in sorted(votes)}
        tally.add(source.again(votes=votes, scores=scores))
        if progress is not None:
            progress(number)
    return tally.intervals(count)


# Experts who can be drawn for each other, and the candidates they marked.
_Block = tuple[tuple[str, ...], tuple[str, ...]]


def _blocks(panels: Mapping[str, PanelValues]) -> list[_Block]:
    """Split candidates and experts into the parts that no sheet connects; each is drawn by itself."""
    block_of: dict[str, int] = {}
    members: dict[int, tuple[set[str], set[str]]] = {}
    for number, (candidate, values) in enumerate(sorted(panels.items())):
        experts, candidates = set(values.experts), {candidate}
        for old in {block_of[expert] for expert in experts if expert in block_of}:
            old_experts, old_candidates = members.pop(old)
            experts |= old_experts
            candidates |= old_candidates
        members[number] = (experts, candidates)
        block_of |= dict.fromkeys(experts, number)
    return [(tuple(sorted(experts)), tuple(sorted(candidates))) for experts, candidates in members.values()]


def _drawn_scores(
    source: Source, panels: Mapping[str, PanelValues], blocks: Sequence[_Block], draws: Draws
) -> dict[str, ExpertScore]:
    return {
        candidate: score_panel(values, source.rules)
        for experts, candidates in blocks
        for candidate, values in _drawn_panels(panels, experts, candidates, draws)
    }


def _drawn_panels(
    panels: Mapping[str, PanelValues], experts: Sequence[str], candidates: Sequence[str], draws: Draws
) -> list[tuple[str, PanelValues]]:
    """Draw one row of experts; each panel takes the first of the row who belong to it, as many as it has members.

    So every panel is a fair sample of itself, and panels of the same experts get the same ones.
    """
    row: list[str] = []
    picks: dict[tuple[str, ...], list[int]] = {}
    drawn = []
    for candidate in candidates:
        values = panels[candidate]
        if values.experts not in picks:
            position = {expert: k for k, expert in enumerate(values.experts)}
            picks[values.experts] = _first_of(row, experts, position, draws)
        taken = picks[values.experts]
        parts = tuple(([units[k] for k in taken], denominator) for units, denominator in values.parts)
        drawn.append((candidate, PanelValues(tuple(values.experts[k] for k in taken), parts)))
    return drawn


def _first_of(row: list[str], experts: Sequence[str], position: Mapping[str, int], draws: Draws) -> list[int]:
    """Return the positions of the first of the row who are on the panel; the row grows as far as needed."""
    taken: list[int] = []
    at = 0
    while len(taken) < len(position):
        if at == len(row):
            row.append(experts[draws.below(len(experts))])
        if row[at] in position:
            taken.append(position[row[at]])
        at += 1
    return taken


class _Tally:
    """Counts over draws: places and selections of each candidate, and turned pairs."""

    def __init__(self, ranking: Ranking) -> None:
        self._rows = ranking.rows
        self._neighbours = min(NEIGHBOURS_MAX, max(1, PAIRS_MAX // max(1, len(ranking.rows))))
        self._places: dict[str, Counter[int]] = {row.candidate: Counter() for row in ranking.rows}
        self._selected: Counter[str] = Counter()
        self._pairs = [
            (row.candidate, other.candidate)
            for at, row in enumerate(ranking.rows)
            for other in ranking.rows[at + 1 : at + 1 + self._neighbours]
            if other.group == row.group
        ]
        self._turned = [0] * len(self._pairs)

    def add(self, ranking: Ranking) -> None:
        places = {}
        for row in ranking.rows:
            places[row.candidate] = row.place
            self._places[row.candidate][row.place] += 1
            self._selected[row.candidate] += row.outcome == "selected"
        for at, (better, worse) in enumerate(self._pairs):
            if places[worse] <= places[better]:
                self._turned[at] += 1

    def intervals(self, count: int) -> Intervals:
        group_of = {row.candidate: row.group for row in self._rows}
        pairs = tuple(
            Pair(group_of[better], better, worse, Fraction(turned, count))
            for (better, worse), turned in zip(self._pairs, self._turned, strict=True)
            if turned > OUTSIDE * count
        )
        places = []
        for row in self._rows:
            found = sorted(self._places[row.candidate].elements())
            cut = int(OUTSIDE / 2 * count)
            share = Fraction(self._selected[row.candidate], count)
            places.append(PlaceInterval(row.group, row.place, row.candidate, found[cut], found[count - 1 - cut], share))
        return Intervals(count, self._neighbours, tuple(places), pairs)

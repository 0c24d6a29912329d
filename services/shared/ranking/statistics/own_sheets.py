"""Each candidate that was not selected: its votes, its marks beside the group's medians, its distance to the cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from services.shared.ranking.result import Row
from services.shared.ranking.statistics.source import Part, Source, fraction_of, parts_of


@dataclass(frozen=True, slots=True)
class OwnMarks:
    """A candidate's marks on one part, lowest first and without names, their median and that of the whole group."""

    criterion: str
    marks: tuple[Fraction, ...]
    median: Fraction
    group_median: Fraction


@dataclass(frozen=True, slots=True)
class OwnSheet:
    """What a losing unit is owed. `cut` is the total of the last selected, None where nobody is.

    `distance` is the candidate's total less `cut`; 0 means that a tie or the floor decided.
    """

    group: str
    place: int
    candidate: str
    outcome: str
    votes: int | None
    vote_points: Fraction | None
    expert_points: Fraction | None
    total: Fraction
    cut: Fraction | None
    distance: Fraction | None
    marks: tuple[OwnMarks, ...]


def own_sheets(source: Source) -> list[OwnSheet]:
    """Return a sheet for everybody who was not selected; none where the rules select nobody."""
    if source.rules.selection is None:
        return []
    found = []
    for rows in source.rows_by_group().values():
        inside = {row.candidate for row in rows}
        cut = min((row.total for row in rows if row.outcome == "selected"), default=None)
        parts = [] if source.marks is None else parts_of(source.marks, inside)
        medians = {part.name: _median(part, [v for of in part.values.values() for v in of.values()]) for part in parts}
        found += [_own_sheet(row, cut, parts, medians) for row in rows if row.outcome != "selected"]
    return found


def _own_sheet(
    row: Row, cut: Fraction | None, parts: Sequence[Part], medians: Mapping[str, Fraction | None]
) -> OwnSheet:
    return OwnSheet(
        group=row.group,
        place=row.place,
        candidate=row.candidate,
        outcome=row.outcome,
        votes=row.votes,
        vote_points=row.vote_points,
        expert_points=row.expert_points,
        total=row.total,
        cut=cut,
        distance=None if cut is None else row.total - cut,
        marks=tuple(
            marks for part in parts if (marks := _own_marks(part, row.candidate, medians[part.name])) is not None
        ),
    )


def _own_marks(part: Part, candidate: str, group_median: Fraction | None) -> OwnMarks | None:
    values = sorted(part.values.get(candidate, {}).values())
    own = _median(part, values)
    if own is None or group_median is None:
        return None
    return OwnMarks(part.name, tuple(fraction_of(part, value) for value in values), own, group_median)


def _median(part: Part, values: Sequence[int]) -> Fraction | None:
    return Fraction(median(map(Fraction, values))) / part.denominator if values else None

"""The marks of a round as a checked table of whole numbers: each sheet complete, in range and on its step.

Marks of one criterion share a denominator, so that sums and comparisons of millions of marks are integer work.
Built once per ranking; marks of withdrawn candidates are checked and left out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import lcm
from typing import NoReturn

from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.model import Criterion
from services.shared.ranking.numbers import print_exactly
from services.shared.ranking.scores import FILE, Score

Sheet = Sequence[int]


@dataclass(frozen=True, slots=True)
class Marks:
    """All sheets: `sheets[candidate][expert][k]` over `denominators[k]` is the mark on `criteria[k]`.

    Experts of a candidate come in code point order, so that nothing depends on the order of rows.
    `first_lines[expert]` is where the expert first stands in the file (None: no file).
    """

    criteria: tuple[Criterion, ...]
    denominators: tuple[int, ...]
    sheets: Mapping[str, Mapping[str, Sheet]]
    first_lines: Mapping[str, int | None]

    def by_expert(self) -> Iterator[tuple[str, str, Sheet]]:
        """Yield (expert, candidate, sheet) of every sheet."""
        for candidate, sheets in self.sheets.items():
            for expert, sheet in sheets.items():
                yield expert, candidate, sheet


def build_marks(
    scores: Sequence[Score],
    criteria: tuple[Criterion, ...],
    candidates: Collection[str],
    withdrawn: Collection[str],
    lines: Sequence[int] | None = None,
) -> Marks:
    """Check the marks against the criteria and the known candidates; raises InputError at the first bad one.

    `lines[i]` is the line of `scores[i]` in its file.
    """
    builder = _MarksBuilder(criteria, _denominators(criteria, scores), lines)
    known = frozenset(candidates)
    for row, score in enumerate(scores):
        if score.candidate not in known:
            builder.refuse(row, f"candidate {shown(score.candidate)} is not in candidates.csv; correct one of them")
        builder.add(row, score)
    builder.check_complete()
    sheets = {
        candidate: dict(sorted(of_candidate.items()))
        for candidate, of_candidate in sorted(builder.sheets.items())
        if candidate not in withdrawn
    }
    return Marks(criteria, builder.denominators, sheets, builder.first_lines())


def _denominators(criteria: Sequence[Criterion], scores: Sequence[Score]) -> tuple[int, ...]:
    """A mark is min + k · step; where any decimal may be given, only the marks themselves tell."""
    free = {criterion.id: {1} for criterion in criteria if criterion.step == 0}
    if free:
        for score in scores:
            if score.criterion in free:
                free[score.criterion].add(score.score.denominator)
    return tuple(
        lcm(criterion.minimum.denominator, criterion.step.denominator, *free.get(criterion.id, ()))
        for criterion in criteria
    )


class _MarksBuilder:
    def __init__(
        self, criteria: tuple[Criterion, ...], denominators: tuple[int, ...], lines: Sequence[int] | None
    ) -> None:
        self.denominators = denominators
        # candidate → expert → marks in order of the criteria, and at the end the row where the sheet began
        self.sheets: dict[str, dict[str, list[int]]] = {}
        self._criteria = criteria
        self._position = {criterion.id: position for position, criterion in enumerate(criteria)}
        self._units: list[dict[int, int]] = [{} for _ in criteria]
        self._first_row: dict[str, int] = {}
        self._lines = lines
        self._absent = self._marker()

    def _marker(self) -> int:
        """A number no mark can be: below every minimum."""
        lowest = min((int(c.minimum * d) for c, d in zip(self._criteria, self.denominators, strict=True)), default=0)
        return lowest - 1

    def add(self, row: int, score: Score) -> None:
        position = self._position.get(score.criterion)
        if position is None:
            known = ", ".join(self._position) or "none"
            self.refuse(row, f"criterion {shown(score.criterion)} is not in rules.toml; its criteria: {known}")
        sheet = self._sheet(row, score)
        if sheet[position] != self._absent:
            self.refuse(row, f"{_whose(score)} has a mark on {score.criterion} already; keep one row")
        # Equal texts gave one object, which the scores keep alive; hashing a fraction would take longer than all else.
        units = self._units[position].get(id(score.score))
        if units is None:
            units = self._check_mark(row, score, position)
            self._units[position][id(score.score)] = units
        sheet[position] = units

    def _sheet(self, row: int, score: Score) -> list[int]:
        of_candidate = self.sheets.get(score.candidate)
        if of_candidate is None:
            of_candidate = self.sheets[score.candidate] = {}
        sheet = of_candidate.get(score.expert)
        if sheet is None:
            self._first_row.setdefault(score.expert, row)
            sheet = [*[self._absent] * len(self._criteria), row]
            of_candidate[score.expert] = sheet
        return sheet

    def _check_mark(self, row: int, score: Score, position: int) -> int:
        criterion, mark = self._criteria[position], score.score
        low, high, step = criterion.minimum, criterion.maximum, criterion.step
        if mark < low or (high is not None and mark > high):
            upper = "" if high is None else f" to {print_exactly(high)}"
            self.refuse(row, f"score {print_exactly(mark)} is outside {print_exactly(low)}{upper}; correct the mark")
        if step and (mark - low) % step != 0:
            reason = f"score {print_exactly(mark)} is off the step {print_exactly(step)} from {print_exactly(low)}"
            self.refuse(row, f"{reason}; correct the mark")
        return int(mark * self.denominators[position])

    def check_complete(self) -> None:
        """Refuse the earliest sheet that lacks a criterion, then drop what only the builder needs."""
        gaps = [
            (sheet[-1], expert, candidate)
            for candidate, of_candidate in self.sheets.items()
            for expert, sheet in of_candidate.items()
            if self._absent in sheet[:-1]
        ]
        if gaps:
            row, expert, candidate = min(gaps)
            sheet = self.sheets[candidate][expert]
            missing = [c.id for c, units in zip(self._criteria, sheet[:-1], strict=True) if units == self._absent]
            reason = f"the sheet of expert {shown(expert)} for {shown(candidate)} has no mark on {', '.join(missing)}"
            self.refuse(row, f"{reason}; add the rows or take the sheet out")
        for of_candidate in self.sheets.values():
            for sheet in of_candidate.values():
                sheet.pop()

    def first_lines(self) -> dict[str, int | None]:
        return {expert: self._line(row) for expert, row in self._first_row.items()}

    def _line(self, row: int) -> int | None:
        return None if self._lines is None else self._lines[row]

    def refuse(self, row: int, reason: str) -> NoReturn:
        raise InputError(FILE, self._line(row), reason)


def _whose(score: Score) -> str:
    return f"expert {shown(score.expert)} for candidate {shown(score.candidate)}"

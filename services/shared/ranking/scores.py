"""`scores.csv`: what each expert gave each candidate on each criterion."""

import io
from array import array
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from services.shared.ranking.csv_files import Block, check_label, is_label, read_blocks, write_rows
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.numbers import parse_decimal, print_exactly

FILE: Final = "scores.csv"
COLUMNS: Final = ("expert", "candidate", "criterion", "score")


class Score(NamedTuple):
    """One mark."""

    expert: str
    candidate: str
    criterion: str
    score: Fraction


class ScoreRows(NamedTuple):
    """The marks of a file, and the line on which each stands."""

    scores: tuple[Score, ...]
    lines: "array[int]"


def parse_score_rows(data: bytes, file: str = FILE) -> ScoreRows:
    """Read scores.csv as far as its form goes; `build_marks` checks it against rules and candidates."""
    found = _ScoreRows(file)
    for block in read_blocks(io.BytesIO(data), file, COLUMNS):
        if not found.add_block(block):
            for line, row in block.rows():
                found.add(line, *row)
    return ScoreRows(tuple(found.scores), found.lines)


class _ScoreRows:
    """Marks as they are read; millions of rows repeat a few texts: one object for each keeps the memory small."""

    def __init__(self, file: str) -> None:
        self.scores: list[Score] = []
        self.lines = array("Q")
        self._file = file
        self._experts: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._numbers: dict[str, Fraction] = {}

    def add_block(self, block: Block) -> bool:
        """Take many rows at once; False, and nothing taken, where one of them is wrong and must be found."""
        experts, candidates, criteria, numbers = block.columns()
        if not (self._knows_experts(set(experts)) and self._knows_numbers(set(numbers))):
            return False
        names = self._names.setdefault
        self.scores.extend(
            map(
                Score,
                map(self._experts.__getitem__, experts),
                map(names, candidates, candidates),
                map(names, criteria, criteria),
                map(self._numbers.__getitem__, numbers),
            )
        )
        self.lines.extend(range(block.line, block.line + len(experts)))
        return True

    def _knows_experts(self, experts: set[str]) -> bool:
        fresh = experts - self._experts.keys()
        self._experts |= {each: each for each in fresh if is_label(each)}
        return all(map(is_label, fresh))

    def _knows_numbers(self, texts: set[str]) -> bool:
        fresh = {text: parse_decimal(text) for text in texts - self._numbers.keys()}
        self._numbers |= {text: number for text, number in fresh.items() if number is not None}
        return None not in fresh.values()

    def add(self, line: int, expert: str, candidate: str, criterion: str, score: str) -> None:
        if expert not in self._experts:
            self._experts[expert] = check_label(expert, "expert", self._file, line, may_be_empty=False)
        if score not in self._numbers:
            self._numbers[score] = _read_number(score, self._file, line)
        names = self._names.setdefault
        self.scores.append(
            Score(self._experts[expert], names(candidate, candidate), names(criterion, criterion), self._numbers[score])
        )
        self.lines.append(line)


def parse_scores(data: bytes, file: str = FILE) -> tuple[Score, ...]:
    """Read scores.csv as far as its form goes; raises InputError with the line."""
    return parse_score_rows(data, file).scores


def _read_number(text: str, file: str, line: int) -> Fraction:
    number = parse_decimal(text)
    if number is None:
        raise InputError(file, line, f"score {shown(text)} is not a number; write it like 87.5")
    return number


def scores_csv(scores: Iterable[Score]) -> bytes:
    """Write scores.csv, sorted by expert, candidate and criterion; marks exact, without trailing zeros."""
    ordered = sorted(scores, key=lambda each: each[:3])
    rows = ((each.expert, each.candidate, each.criterion, print_exactly(each.score)) for each in ordered)
    return write_rows(COLUMNS, rows)

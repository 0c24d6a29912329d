"""`scores.csv`: what each expert gave each candidate on each criterion."""

import io
from array import array
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from services.shared.ranking.csv_files import check_label, read_rows, write_rows
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
    scores: list[Score] = []
    lines = array("Q")
    numbers: dict[str, Fraction] = {}
    names: dict[str, str] = {}
    for line, (expert, candidate, criterion, score) in read_rows(io.BytesIO(data), file, COLUMNS):
        if expert not in names:
            names[expert] = check_label(expert, "expert", file, line, may_be_empty=False)
        if score not in numbers:
            numbers[score] = _read_number(score, file, line)
        # Millions of rows repeat a few texts: one object for each keeps the memory small.
        shared = names[expert], names.setdefault(candidate, candidate), names.setdefault(criterion, criterion)
        scores.append(Score(*shared, numbers[score]))
        lines.append(line)
    return ScoreRows(tuple(scores), lines)


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

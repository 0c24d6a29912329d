"""How an expert's own marks are told, and where a sheet stands in its queue."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.scoring.sheet_form import spread
from services.shared.ranking.model import Criterion


def criterion(maximum: int | None = 100) -> Criterion:
    top = None if maximum is None else Fraction(maximum)
    return Criterion("innovation", "创新性", Fraction(1, 5), Fraction(0), top, Fraction(1))


def test_marks_fall_into_ten_equal_parts_and_the_highest_into_the_last() -> None:
    told = spread(criterion(), ["0", "9.5", "10", "99", "100"])
    assert told["bins"] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (told["low"], told["median"], told["mean"], told["high"]) == ("0", "10", "43.7", "100")
    assert (told["labels"][0], told["labels"][9]) == ("0–10", "90–100")


def test_an_even_number_of_marks_has_the_middle_of_two_as_median() -> None:
    assert spread(criterion(), ["70", "81"])["median"] == "75.5"


@pytest.mark.parametrize(("marks", "top"), [([], "1"), (["0"], "1"), (["40", "250"], "250")])
def test_without_a_highest_mark_the_range_ends_at_the_highest_given(marks: list[str], top: str) -> None:
    told = spread(criterion(None), marks)
    assert (told["to"], sum(told["bins"])) == (top, len(marks))

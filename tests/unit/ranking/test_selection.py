"""Who is selected, who is in reserve: the cut, the floor and shared places across either."""

from fractions import Fraction

import pytest

from services.shared.ranking.model import Selection
from services.shared.ranking.ranking import rank, ranking_csv
from services.shared.ranking.selection import select
from tests.unit.ranking.builders import candidates_of, rank_votes, rows_of, rules_of

S, R, NONE = "selected", "reserve", ""


@pytest.mark.parametrize(
    ("places", "count", "reserve", "at_cut", "expected"),
    [
        ([1, 2, 3, 4], 2, 1, "exclude", [S, S, R, NONE]),
        ([1, 2, 2, 4], 2, 0, "include", [S, S, S, NONE]),
        ([1, 2, 2, 4], 2, 0, "exclude", [S, NONE, NONE, NONE]),
        # both fit within places + reserve = 3, and the reserve is full then
        ([1, 2, 2, 4], 2, 1, "exclude", [S, R, R, NONE]),
        # three share place 2 and only two more are within places + reserve
        ([1, 2, 2, 2], 2, 1, "exclude", [S, NONE, NONE, NONE]),
        # included ties do not eat the reserve
        ([1, 2, 2, 4, 5], 2, 1, "include", [S, S, S, R, NONE]),
        # a shared place across the end of the reserve is not reserve
        ([1, 2, 2, 4], 1, 1, "include", [S, NONE, NONE, NONE]),
        ([1, 1, 3], 2, 1, "exclude", [S, S, R]),
        ([1, 2], 0, 1, "include", [R, NONE]),
        ([1, 2], 5, 2, "exclude", [S, S]),
        ([], 1, 1, "exclude", []),
    ],
)
def test_the_cut(places: list[int], count: int, reserve: int, at_cut: str, expected: list[str]) -> None:
    rule = Selection(places={}, reserve=reserve, floor=None, tie_at_cut=at_cut)  # type: ignore[arg-type]
    assert select(places, [Fraction(100 - place) for place in places], count, rule) == expected


def test_a_total_below_the_floor_is_neither_selected_nor_reserve() -> None:
    rule = Selection(places={}, reserve=1, floor=Fraction(60), tie_at_cut="exclude")
    totals = [Fraction(80), Fraction(60), Fraction("59.99")]
    assert select([1, 2, 3], totals, 2, rule) == [S, S, NONE]
    assert select([1, 2, 3], totals, 1, rule) == [S, R, NONE]


def test_places_are_looked_up_by_the_values_of_the_group() -> None:
    rules = rules_of(
        '[groups]\nby = ["level", "category"]',
        '[combination]\nvotes = "1"',
        '[selection.places]\n"major;other" = 1\n"key;other" = 0',
    )
    candidates = candidates_of("A", "B") + candidates_of("C", level="key")
    ranking = rank(rules, candidates, {("A", ""): 2, ("B", ""): 1, ("C", ""): 9}, None)
    assert {row.candidate: (row.group, row.outcome) for row in ranking.rows} == {
        "A": ("level=major;category=other", S),
        "B": ("level=major;category=other", NONE),
        "C": ("level=key;category=other", NONE),
    }


def test_one_ranking_is_called_all() -> None:
    rules = rules_of('[combination]\nvotes = "1"', "[selection]\nplaces = { all = 1 }\nreserve = 1")
    rows = rows_of(rank_votes(rules, {"A": 1, "B": 2, "C": 3}))
    assert {name: row.outcome for name, row in rows.items()} == {"A": NONE, "B": R, "C": S}


def test_without_selection_nobody_has_an_outcome() -> None:
    rows = rows_of(rank_votes(rules_of('[combination]\nvotes = "1"'), {"A": 1, "B": 2}))
    assert {row.outcome for row in rows.values()} == {NONE}


def test_a_public_ranking_may_hold_the_selected_only() -> None:
    rules = rules_of(
        '[combination]\nvotes = "1"',
        "[selection]\nplaces = { all = 1 }\nreserve = 1",
        '[publication]\nranking = "selected"',
    )
    ranking = rank_votes(rules, {"A": 1, "B": 2, "C": 3})
    assert len(ranking.rows) == 3
    assert ranking_csv(ranking).decode().splitlines()[1:] == ["all,1,C,3,3,,,selected"]

"""What the pages of a ranking show, from rows and documents: filters, distances, axes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from services.scoring import statistics_views as views
from services.scoring.result_views import Filter, dropped_marks, listing, marks_of, page_of, standing


def row(candidate: str, place: int, total: str, outcome: str = "", group: str = "level=major") -> dict[str, Any]:
    number = int(candidate[1:])
    facts = {"number": number, "title": f"项目 {candidate}", "unit": "Unit"}
    return {"candidate": candidate, "place": place, "total": total, "outcome": outcome, "group": group, **facts}


ROWS = [
    row("c1", 1, "80.00", "selected", "level=key"),
    row("c2", 1, "90.50", "selected"),
    row("c3", 2, "85.2", "selected"),
    row("c4", 3, "85", "reserve"),
]


def test_a_link_keeps_the_filter_and_begins_at_its_first_page() -> None:
    wanted = Filter.of({"group": "level=key", "text": " 项目 ", "page": "3", "other": "x", "before": "1"})
    assert wanted.link(page=4) == "?group=level%3Dkey&text=%E9%A1%B9%E7%9B%AE&before=1&page=4"
    assert wanted.link(group="") == "?text=%E9%A1%B9%E7%9B%AE&before=1"
    assert wanted.export == "?group=level%3Dkey&text=%E9%A1%B9%E7%9B%AE"
    assert not Filter.of({"page": "2", "before": "1"}).narrows


@pytest.mark.parametrize("page", ["0", "-1", "abc", "٣", "9" * 30, ""])
def test_a_page_that_cannot_be_meant_is_the_first(page: str) -> None:
    assert Filter.of({"page": page}).page == 1


def test_rows_come_by_group_as_people_read_them_and_the_last_page_is_never_empty() -> None:
    page, groups = listing(ROWS, Filter())
    assert [(group, [each["candidate"] for each in rows]) for group, rows in groups] == [
        ("level=major", ["c2", "c3", "c4"]),
        ("level=key", ["c1"]),
    ]
    assert page.total == 4
    assert listing(ROWS, Filter(text="3"))[0].items == [ROWS[2]]
    assert page_of(list(range(250)), 99).items == list(range(200, 250))
    assert page_of([], 5).pages == 1


def test_the_distance_to_the_cut_is_exact_and_signed() -> None:
    """The cut is the least total among the selected of the candidate's own group."""
    found = standing(ROWS, "c4")
    assert found is not None
    assert (found.cut, found.distance, found.of, found.above, found.below) == ("85.2", "-0.2", 3, ROWS[2], None)
    leader = standing(ROWS, "c2")
    assert leader is not None
    assert leader.distance == "+5.30"
    assert standing(ROWS, "c9") is None


def test_marks_and_dropped_marks_are_of_one_candidate() -> None:
    scores = b"expert,candidate,criterion,score\ne-b,c1,x,80\ne-a,c1,x,70.5\ne-a,c2,x,1\n"
    assert marks_of(scores, "c1") == {"e-a": {"x": "70.5"}, "e-b": {"x": "80"}}
    told = [{"candidate": "c1", "dropped": [{"expert": "e-a", "criterion": "x"}]}, {"candidate": "c2", "dropped": []}]
    assert dropped_marks({"marks": told}, "c1") == {("e-a", "x")}
    assert dropped_marks(None, "c1") == set()


def test_numbers_are_cut_to_what_can_be_read() -> None:
    assert (views.shown("0.873500"), views.shown(None), views.percent("0.125000")) == ("0.87", "—", "12.5 %")
    assert (views.signed("1.250000"), views.signed("-1.250000"), views.plain("76.000000")) == ("+1.25", "-1.25", "76")
    assert views.short("社区议事厅", 6) == "社区…"
    assert views.short("社区", 6) == "社区"


def test_positions_never_leave_the_axis() -> None:
    low, high = Fraction(10), Fraction(30)
    told = [views.place_between(Fraction(value), low, high) for value in (5, 10, 15, 30, 99)]
    assert told == ["0.00%", "0.00%", "25.00%", "100.00%", "100.00%"]
    assert views.place_between(low, low, low) == "50.00%"


def test_nominal_weights_are_shares_of_both_sides() -> None:
    document = {
        "weights": [
            {"part": "votes", "nominal": "30.000000", "effective": "0.400000", "apart": False},
            {"part": "experts", "nominal": "70.000000", "effective": None, "apart": False},
        ]
    }
    votes, experts = views.weights(document)
    assert (votes["nominal"], votes["effective"], votes["effective_at"]) == ("30.0 %", "40.0 %", "40.00%")
    assert (experts["effective"], experts["effective_at"]) == ("—", "0.00%")


def test_the_winner_stays_between_the_crossings() -> None:
    """Without a crossing on a side the winner stays to the end of the axis."""
    crossing = {"group": "all", "winner": "c1", "candidate": "c2"}
    document = {
        "crossings": [
            {**crossing, "direction": "down", "weight": "1/10", "weight_number": "0.100000"},
            {**crossing, "direction": "up", "candidate": "", "weight": "", "weight_number": None},
        ]
    }
    found = views.crossings(document, "all", Fraction(3, 10), Fraction(1))
    assert found is not None
    assert (found["low"], found["high"], found["from"], found["at"]) == ("10.0 %", "100.0 %", "10.00%", "30.00%")
    assert views.crossings(document, "none", Fraction(1), Fraction(1)) is None


def test_a_variant_counts_the_group_s_moves_only_and_names_changed_outcomes_first() -> None:
    def move(candidate: str, group: str, place: int, then: int, outcome: str = "", outcome_then: str = "") -> Any:
        places = {"place": place, "place_then": then, "outcome": outcome, "outcome_then": outcome_then}
        return {"candidate": candidate, "group": group, **places}

    moves = [move("c1", "a", 1, 2), move("c2", "a", 2, 1, "", "selected"), move("c3", "b", 1, 2)]
    document = {
        "intervals": {"places": [{"group": "a", "candidate": "c1"}]},
        "sensitivity": [
            {"kind": "aggregate", "value": "mean", "refused": "", "moves": moves},
            {"kind": "leader_doubled", "value": "c3", "refused": "", "moves": []},
        ],
    }
    (found,) = views.variants(document, "a")
    assert (found["moved"], found["decided"], found["at"]) == (2, 1, "100.00%")
    assert [each["candidate"] for each in found["moves"]] == ["c2", "c1"]
    assert [each["place_then"] for each in views.moves_of(document, "c3")] == [2]


def test_own_marks_share_one_axis_with_the_group_s_median() -> None:
    marks = [
        {"criterion": "x", "marks": ["70.000000", "80.000000"], "median": "75.000000", "group_median": "90.000000"}
    ]
    (told,), low, high = views.own_marks(marks)
    assert (low, high) == ("70", "90")
    assert (told["from"], told["to"], told["at"], told["reference"]) == ("0.00%", "50.00%", "25.00%", "100.00%")
    assert told["difference"] == "-15.00"
    assert views.own_marks([]) == ([], "0", "0")


def test_many_experts_share_the_moves_that_a_page_tells() -> None:
    """With sixty variants each names a few moves, and says how many more there are."""
    move = {"candidate": "c1", "group": "a", "place": 1, "place_then": 2, "outcome": "", "outcome_then": ""}
    variant = {"kind": "without_expert", "value": "e", "refused": "", "moves": [move] * 30}
    found = views.variants({"sensitivity": [variant] * 60, "intervals": {"places": []}}, "a")
    assert {(each["moved"], len(each["moves"]), each["left_out"]) for each in found} == {(30, 6, 24)}

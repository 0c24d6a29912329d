"""What would have come out otherwise: worked by hand, and checked against the ranking made again."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.shared.ranking.statistics import sensitivity
from services.shared.ranking.statistics.source import Source, build_source
from tests.unit.ranking.builders import ONE_CRITERION, candidates_of, marks_of, rules_of

QUICK = settings(max_examples=60, deadline=None)
HALVES = '[combination]\nvotes = "0.5"\nexperts = "0.5"\n'


def source_of(votes: dict[str, int] | None, marks: dict[str, dict[str, list[Any]]] | None, *sections: str) -> Source:
    """One group under the given rules; the votes count as raw points unless the sections say otherwise."""
    names = sorted({*(votes or {}), *(name for sheets in (marks or {}).values() for name in sheets)})
    counts = None if votes is None else {(name, ""): count for name, count in votes.items()}
    scores = None if marks is None else marks_of(marks)
    return build_source(rules_of(ONE_CRITERION, *sections), candidates_of(*names), counts, scores)


def told(variants: list[sensitivity.Variant]) -> dict[str, list[str]]:
    return {each.value: [f"{m.candidate} {m.place}>{m.place_then}" for m in each.moves] for each in variants}


def test_five_points_of_weight_either_way() -> None:
    # Totals at 0.5: A 0.5 · 60 + 0.5 · 50 = 55, B 0.5 · 50 + 0.5 · 59 = 54.5. At 0.45: A 54.5, B 54.95.
    source = source_of({"A": 60, "B": 50}, {"E": {"A": [50], "B": [59]}}, HALVES)
    assert told(sensitivity.other_weights(source)) == {"0.45": ["A 1>2", "B 2>1"], "0.55": []}


def test_a_weight_is_not_moved_below_nothing() -> None:
    source = source_of({"A": 2, "B": 1}, None, '[combination]\nvotes = "1"\n')
    assert [each.value for each in sensitivity.other_weights(source)] == ["0.95"]


def test_without_one_expert() -> None:
    marks = {"E": {"A": [90], "B": [60]}, "F": {"A": [50], "B": [70]}, "G": {"A": [60], "B": [65]}}
    source = source_of(None, marks, '[combination]\nexperts = "1"\n')
    # Means 66.67 and 65. Without E: 55 and 67.5. Without F: 75 and 62.5. Without G: 70 and 65.
    assert told(sensitivity.without_each_expert(source)) == {"E": ["A 1>2", "B 2>1"], "F": [], "G": []}


def test_experts_of_other_names_on_each_candidate_cannot_be_left_out() -> None:
    source = source_of(None, {"E": {"A": [90]}, "F": {"B": [50]}}, '[combination]\nexperts = "1"\n')
    assert sensitivity.without_each_expert(source) == []


def test_a_method_that_refuses_says_so() -> None:
    marks = {name: {"A": [50 + k], "B": [60]} for k, name in enumerate("EFG")}
    additive = '[experts]\nadjust = "additive"\n[combination]\nexperts = "1"\n'
    both = marks | {"H": {"B": [70], "C": [60]}, "I": {"C": [61]}}
    found = {each.value: each.refused for each in sensitivity.without_each_expert(source_of(None, both, additive))}
    assert found["E"] == ""
    assert found["H"].startswith("additive cannot compare experts without common candidates")


def test_other_aggregates() -> None:
    # Means 55 and 54; medians 50 and 54; without the extremes 50 and 54.
    marks = {"E": {"A": [50], "B": [53]}, "F": {"A": [50], "B": [54]}, "G": {"A": [65], "B": [55]}}
    source = source_of(None, marks, '[combination]\nexperts = "1"\n')
    assert told(sensitivity.other_aggregates(source)) == {
        "trimmed_mean": ["A 1>2", "B 2>1"],
        "median": ["A 1>2", "B 2>1"],
    }


def test_doubling_the_leader_moves_others_under_a_t_score() -> None:
    rules = '[votes]\ntransform = "linear_to_max"\n' + HALVES
    # A leads the votes. Points 100, 80, 40: B 0.5 · 80 + 0.5 · 50 = 65, C 20 + 40 = 60.
    # With 200 votes for A: B 20 + 25 = 45, C 10 + 40 = 50.
    source = source_of({"A": 100, "B": 80, "C": 40}, {"E": {"A": [90], "B": [50], "C": [80]}}, rules)
    assert told(sensitivity.leader_doubled(source)) == {"A": ["B 2>3", "C 3>2"]}
    raw = source_of({"A": 100, "B": 80, "C": 40}, {"E": {"A": [90], "B": [50], "C": [80]}}, HALVES)
    assert told(sensitivity.leader_doubled(raw)) == {"A": []}


def test_the_weight_at_which_the_winner_changes() -> None:
    # A 60 votes and 50 marks, B 50 and 59: 60 w + 50 (1 − w) = 50 w + 59 (1 − w) at 19 w = 9.
    source = source_of({"A": 60, "B": 50}, {"E": {"A": [50], "B": [59]}}, HALVES)
    down, up = sensitivity.crossings(source)
    assert (down.winner, down.candidate, down.weight, down.weight_number) == ("A", "B", "9/19", Fraction(9, 19))
    assert (up.direction, up.candidate, up.weight, up.weight_number) == ("up", "", "", None)


def test_the_fastest_of_those_who_draw_level_leads() -> None:
    # A 20/0, B 0/20, C 10/10 (votes/marks): all equal at w = 1/2; below it B gains twice as fast as C.
    source = source_of(
        {"A": 20, "B": 0, "C": 10}, {"E": {"A": [0], "B": [20], "C": [10]}},
        '[combination]\nvotes = "0.6"\nexperts = "0.4"\n',
    )  # fmt: skip
    assert [(each.candidate, each.weight) for each in sensitivity.crossings(source)] == [("B", "1/2"), ("", "")]


def test_a_winner_whom_rounding_and_a_tie_break_made_crosses_at_the_present_weight() -> None:
    # Unrounded 50.2 and 50.4; rounded both 50, and the experts decide for A.
    rules = '[combination]\nvotes = "0.4"\nexperts = "0.6"\ndecimals = 0\ntie_break = ["experts"]\n'
    source = source_of({"A": 50, "B": 60}, {"E": {"A": ["50.3"], "B": [44]}}, rules)
    assert [row.candidate for row in source.ranking.rows] == ["A", "B"]
    assert {each.weight_number for each in sensitivity.crossings(source)} == {Fraction(2, 5)}


@QUICK
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=6),
    st.fractions(Fraction(1, 10), Fraction(9, 10), max_denominator=10),
)
def test_the_ranking_made_again_beside_a_crossing_has_the_winner_it_names(
    points: list[tuple[int, int]], weight: Fraction
) -> None:
    votes = {name: points[k][0] for k, name in enumerate("ABCDEF"[: len(points)])}
    marks = {"E": {name: [points[k][1]] for k, name in enumerate(votes)}}
    source = source_of(votes, marks, HALVES)
    rules = _weighted(source, weight)
    source = build_source(rules, source.candidates, source.votes, marks_of(marks))
    for each in sensitivity.crossings(source):
        step = Fraction(-1, 10**9) if each.direction == "down" else Fraction(1, 10**9)
        end = Fraction(0) if each.direction == "down" else Fraction(1)
        if each.weight_number is None:
            assert each.winner in _winners(source, end)
        elif 0 < each.weight_number + step < 1:
            assert each.candidate in _winners(source, each.weight_number + step)
            assert each.winner not in _winners(source, each.weight_number + step)
            assert each.winner in _winners(source, each.weight_number)


def _weighted(source: Source, votes: Fraction) -> Any:
    return replace(
        source.rules, combination=replace(source.rules.combination, votes=votes, experts=1 - votes, decimals=None)
    )


def _winners(source: Source, votes: Fraction) -> set[str]:
    return {row.candidate for row in source.again(_weighted(source, votes)).rows if row.place == 1}

"""Rank intervals from resampled panels and votes."""

from fractions import Fraction

from services.shared.ranking.expert_scores import PanelValues
from services.shared.ranking.statistics import intervals
from services.shared.ranking.statistics.draws import Draws
from services.shared.ranking.statistics.source import Source, build_source
from tests.unit.ranking.builders import ONE_CRITERION, candidates_of, marks_of, rules_of

BOTH = '[combination]\nvotes = "0.5"\nexperts = "0.5"\n[selection]\nplaces = { all = 1 }\n'


def source_of(votes: dict[str, int], marks: dict[str, dict[str, list[int | str]]]) -> Source:
    rules = rules_of(ONE_CRITERION, '[votes]\ntransform = "linear_to_max"\n', BOTH)
    counts = {(name, ""): count for name, count in votes.items()}
    return build_source(rules, candidates_of(*votes), counts, marks_of(marks))


MARKS: dict[str, dict[str, list[int | str]]] = {
    f"E{e}": {"A": [90 + e % 3], "B": [60 + 5 * (e % 2)], "C": [64 - 5 * (e % 2)]} for e in range(7)
}
VOTES = {"A": 900, "B": 400, "C": 395}


def test_a_clear_winner_stays_and_two_alike_are_not_separable() -> None:
    found = intervals.rank_intervals(source_of(VOTES, MARKS), Draws("seed"), 200)
    places = {each.candidate: (each.lowest, each.highest, each.selected_share) for each in found.places}
    assert places == {"A": (1, 1, Fraction(1)), "B": (2, 3, Fraction(0)), "C": (2, 3, Fraction(0))}
    assert [(pair.candidate, pair.other) for pair in found.not_separable] == [("B", "C")]
    assert (found.draws, found.neighbours) == (200, 50)


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    rows = source_of(VOTES, MARKS)
    turned = source_of(dict(reversed(VOTES.items())), dict(reversed(MARKS.items())))
    first = intervals.rank_intervals(rows, Draws("seed"), 50)
    assert intervals.rank_intervals(turned, Draws("seed"), 50) == first
    assert intervals.rank_intervals(rows, Draws("another"), 50) != first


def test_whole_panels_are_drawn_together() -> None:
    """Two candidates with the same marks of the same experts stay equal in every draw."""
    marks = {expert: {"A": of["B"], "B": of["B"]} for expert, of in MARKS.items()}
    rules = rules_of(ONE_CRITERION, '[combination]\nexperts = "1"\n')
    source = build_source(rules, candidates_of("A", "B"), None, marks_of(marks))
    found = intervals.rank_intervals(source, Draws("seed"), 50)
    assert {(each.lowest, each.highest) for each in found.places} == {(1, 1)}
    assert [pair.turned_share for pair in found.not_separable] == [Fraction(1)]


def test_a_panel_takes_the_first_of_its_members_in_the_row() -> None:
    panels = {
        "A": PanelValues(("E0", "E1"), (([10, 20], 1),)),
        "B": PanelValues(("E0", "E1", "E2"), (([1, 2, 3], 1),)),
    }
    [(experts, candidates)] = intervals._blocks(panels)
    assert (experts, candidates) == (("E0", "E1", "E2"), ("A", "B"))
    row = Draws("seed")
    order = [experts[row.below(3)] for _ in range(40)]
    drawn = dict(intervals._drawn_panels(panels, experts, candidates, Draws("seed")))
    assert list(drawn["A"].experts) == [name for name in order if name != "E2"][:2]
    assert list(drawn["B"].experts) == order[:3]
    assert [Fraction(unit) for unit in drawn["B"].parts[0][0]] == [1 + int(name[1]) for name in order[:3]]


def test_experts_whom_no_candidate_connects_are_drawn_apart() -> None:
    panels = {name: PanelValues((f"{name}1", f"{name}2"), (([1, 2], 1),)) for name in "ABC"}
    panels["D"] = PanelValues(("A1", "C1"), (([1, 2], 1),))
    blocks = {candidates: experts for experts, candidates in intervals._blocks(panels)}
    assert blocks == {("A", "C", "D"): ("A1", "A2", "C1", "C2"), ("B",): ("B1", "B2")}


def test_a_large_round_gets_fewer_draws() -> None:
    source = source_of(VOTES, MARKS)
    assert intervals.draws_for(source) == 2_000
    work = 21 + 3 + 3
    allowed = intervals.WORK_MAX
    try:
        intervals.WORK_MAX = 100 * work  # type: ignore[misc]
        assert intervals.draws_for(source) == 100
        intervals.WORK_MAX = work  # type: ignore[misc]
        assert intervals.draws_for(source) == intervals.DRAWS_MIN
    finally:
        intervals.WORK_MAX = allowed  # type: ignore[misc]

"""From marks to expert points: every aggregate, order, adjustment and rounding place, worked out by hand."""

from fractions import Fraction

import pytest

from services.shared.ranking.errors import InputError
from services.shared.ranking.expert_scores import Dropped
from tests.unit.ranking.builders import ONE_CRITERION, marks_of, rank_marks, rows_of, rules_of

EXPERTS_ONLY = '[combination]\nexperts = "1"\n'
TWO_CRITERIA = '[[criteria]]\nid = "idea"\nweight = "0.5"\n[[criteria]]\nid = "use"\nweight = "0.5"\n'


def points(experts: str, table: dict[str, list[int]]) -> dict[str, str]:
    """Rank {candidate: marks of experts 1, 2 …} on one criterion; return the printed expert points."""
    rules = rules_of(ONE_CRITERION, f"[experts]\n{experts}", EXPERTS_ONLY)
    scores = marks_of(
        {
            f"E{number}": {name: [marks[number]] for name, marks in table.items() if number < len(marks)}
            for number in range(max(map(len, table.values())))
        }
    )
    return {name: row.expert_points_text for name, row in rows_of(rank_marks(rules, scores)).items()}


def test_mean() -> None:
    # (60 + 70 + 80 + 100 + 95) / 5 = 405 / 5
    assert points('aggregate = "mean"', {"A": [60, 70, 80, 100, 95]}) == {"A": "81"}


def test_trimmed_mean_drops_the_lowest_and_the_highest() -> None:
    # (70 + 80 + 95) / 3 = 81.666…; two low and none high: (80 + 95 + 100) / 3
    marks = {"A": [60, 70, 80, 100, 95]}
    assert points('aggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 5', marks) == {
        "A": "81.6666666667"
    }
    assert points('aggregate = "trimmed_mean"\ntrim_low = 2\npanel_min = 3', marks) == {"A": "91.6666666667"}


def test_trimming_drops_one_mark_of_several_equal_ones() -> None:
    # 90 90 90 90 60 → 60 and one 90 go, the mean of three 90 remains
    rules = 'aggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 5'
    assert points(rules, {"A": [90, 90, 60, 90, 90]}) == {"A": "90"}


def test_dropped_marks_are_named() -> None:
    rules = rules_of(
        ONE_CRITERION, '[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 3', EXPERTS_ONLY
    )
    ranking = rank_marks(rules, marks_of({"X": {"A": [70]}, "Y": {"A": [50]}, "Z": {"A": [90]}}))
    assert ranking.rows[0].dropped == (Dropped("idea", "Y", Fraction(50)), Dropped("idea", "Z", Fraction(90)))


@pytest.mark.parametrize(("fallback", "expected"), [("mean", "75"), ("median", "80")])
def test_too_small_a_panel_falls_back_and_says_so(fallback: str, expected: str) -> None:
    # (55 + 80 + 90) / 3 = 75; the middle is 80
    rules = rules_of(
        ONE_CRITERION,
        f'[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 4\nfallback = "{fallback}"',
        EXPERTS_ONLY,
    )
    ranking = rank_marks(rules, marks_of({"X": {"A": [55]}, "Y": {"A": [80]}, "Z": {"A": [90]}}))
    assert ranking.rows[0].expert_points_text == expected
    (fell_back,) = ranking.fallbacks
    assert (fell_back.candidate, fell_back.marks, fell_back.panel_min, fell_back.method) == ("A", 3, 4, fallback)


def test_only_the_trimmed_mean_asks_for_a_panel() -> None:
    assert points('aggregate = "sum"\npanel_min = 9', {"A": [55, 80]}) == {"A": "135"}


def test_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    # 60 70 | 80 100 → 75
    assert points('aggregate = "median"', {"A": [100, 60, 80, 70], "B": [9, 1, 5]}) == {"A": "75", "B": "5"}


def test_sum() -> None:
    assert points('aggregate = "sum"', {"A": [60, 70], "B": [50]}) == {"A": "130", "B": "50"}


def test_criterion_first_rounds_aggregates_and_components_before_the_sum() -> None:
    # A, idea: (80 + 80 + 80.01)/3 = 80.00333… → 80.00, · 0.5 = 40; use: 80.01 · 0.5 = 40.005 → 40.01; sum 80.01.
    # B: 40.005 → 40.01 twice, sum 80.02, where rounding only the sum would give 80.01.
    rules = rules_of(TWO_CRITERIA, "[experts]\naggregate_decimals = 2\ncomponent_decimals = 2", EXPERTS_ONLY)
    scores = marks_of(
        {
            "X": {"A": ["80", "80.01"], "B": ["80.01", "80.01"]},
            "Y": {"A": ["80", "80.01"], "B": ["80.01", "80.01"]},
            "Z": {"A": ["80.01", "80.01"], "B": ["80.01", "80.01"]},
        },
        "idea",
        "use",
    )
    rows = rows_of(rank_marks(rules, scores))
    assert rows["A"].aggregates == (Fraction(80), Fraction("80.01"))
    assert rows["A"].components == (Fraction(40), Fraction("40.01"))
    assert rows["A"].expert_points_text == "80.01"
    assert rows["B"].expert_points_text == "80.02"


def test_half_even_rounds_exact_halves_to_the_even_digit() -> None:
    # 80.01 · 0.5 = 40.005 → 40.00 (even), twice: 80.00
    rules = rules_of(
        TWO_CRITERIA, "[experts]\ncomponent_decimals = 2", '[combination]\nexperts = "1"\nrounding = "half_even"'
    )
    rows = rows_of(rank_marks(rules, marks_of({"X": {"A": ["80.01", "80.01"]}}, "idea", "use")))
    assert rows["A"].expert_points_text == "80"


def test_sheet_first_weighs_a_sheet_rounds_it_and_aggregates_sheets() -> None:
    # sheets: (80.01 + 80)/2 = 80.005 → 80.01; (70 + 70)/2 = 70 → mean 75.005 → 75.01 half up
    rules = rules_of(
        TWO_CRITERIA, '[experts]\norder = "sheet_first"\ncomponent_decimals = 2\naggregate_decimals = 2', EXPERTS_ONLY
    )
    scores = marks_of({"X": {"A": ["80.01", "80"]}, "Y": {"A": ["70", "70"]}}, "idea", "use")
    row = rank_marks(rules, scores).rows[0]
    assert row.expert_points_text == "75.01"
    assert row.aggregates == ()


def test_sheet_first_trims_whole_sheets() -> None:
    # sheets 50, 60, 90 → 60; criterion by criterion it would be 60 and 70 → 65
    trimmed = '[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 3\n'
    scores = marks_of({"X": {"A": [0, 100]}, "Y": {"A": [60, 60]}, "Z": {"A": [100, 80]}}, "idea", "use")
    by_sheet = rank_marks(rules_of(TWO_CRITERIA, trimmed + 'order = "sheet_first"', EXPERTS_ONLY), scores)
    by_criterion = rank_marks(rules_of(TWO_CRITERIA, trimmed, EXPERTS_ONLY), scores)
    assert by_sheet.rows[0].expert_points_text == "60"
    assert by_criterion.rows[0].expert_points_text == "70"
    assert by_sheet.rows[0].dropped == (Dropped("", "X", Fraction(50)), Dropped("", "Z", Fraction(90)))


def test_rank_points_of_experts_are_summed_and_shared_by_equal_sheets() -> None:
    # X: A 3, B and C share (2 + 1)/2 = 1.5; Y: B 3, A 2, C 1
    table = {"A": [90, 70], "B": [80, 90], "C": [80, 60]}
    assert points('aggregate = "rank_points"\npoints = [3, 2, 1]', table) == {"A": "5", "B": "4.5", "C": "2.5"}


def test_rank_points_rank_within_the_group() -> None:
    from services.shared.ranking.ranking import rank
    from tests.unit.ranking.builders import candidates_of

    rules = rules_of(
        '[groups]\nby = ["level"]', ONE_CRITERION, '[experts]\naggregate = "rank_points"\npoints = [2, 1]', EXPERTS_ONLY
    )
    candidates = candidates_of("A", "B") + candidates_of("C", level="key")
    ranking = rank(rules, candidates, None, marks_of({"X": {"A": [90], "B": [80], "C": [10]}}))
    texts = {row.candidate: row.expert_points_text for row in ranking.rows}
    assert texts == {"A": "2", "B": "1", "C": "2"}


def test_z_score_brings_experts_to_a_common_scale() -> None:
    # All marks 60 80 85 95: mean 80, variance (400 + 0 + 25 + 225)/4 = 162.5, sd 12.7475487840. Both experts put A one
    # own deviation below their own mean (70 ± 10, 90 ± 5) and B one above.
    table = {"A": [60, 85], "B": [80, 95]}
    assert points('adjust = "z_score"\nmarks_min = 2', table) == {"A": "67.252451216", "B": "92.747548784"}


def test_z_score_of_an_expert_without_spread_is_the_mean_of_all() -> None:
    # marks 60 80 70 70: mean 70; the second expert says nothing: (70 + (70 ± z))/2
    table = {"A": [60, 70], "B": [80, 70]}
    # sd_all = √((100 + 100)/4) = √50 = 7.0710678119; X's A: 70 − 7.0710678119; mean with 70
    assert points('adjust = "z_score"\nmarks_min = 2', table) == {"A": "66.4644660941", "B": "73.5355339059"}


def test_z_score_refuses_an_expert_with_too_few_marks() -> None:
    with pytest.raises(InputError, match=r'scores.csv: expert "E0" has 2 marks on a criterion; z_score needs 15'):
        points('adjust = "z_score"', {"A": [60, 85], "B": [80, 95]})


def test_additive_takes_the_experts_offset_off() -> None:
    # X saw A = 10, B = 20; Y saw B = 24, C = 30; ridge 1. Residuals from project means: A 0, B −2 and +2, C 0.
    # (2 + 1)·x − x − (x + y)/2 = −2 with y = −x → 2x = −2 → x = −1, y = 1.
    # Adjusted: A 11; B 21 and 23 → 22; C 29.
    rules = rules_of(ONE_CRITERION, '[experts]\nadjust = "additive"', EXPERTS_ONLY)
    scores = marks_of({"X": {"A": [10], "B": [20]}, "Y": {"B": [24], "C": [30]}})
    texts = {row.candidate: row.expert_points_text for row in rank_marks(rules, scores).rows}
    assert texts == {"A": "11", "B": "22", "C": "29"}


def test_additive_shrinks_offsets_with_the_ridge() -> None:
    # As above with ridge 3: (2 + 3)·x − x = −2 → x = −0.5: A 10.5, C 29.5
    rules = rules_of(ONE_CRITERION, '[experts]\nadjust = "additive"\nridge = "3"', EXPERTS_ONLY)
    scores = marks_of({"X": {"A": [10], "B": [20]}, "Y": {"B": [24], "C": [30]}})
    texts = {row.candidate: row.expert_points_text for row in rank_marks(rules, scores).rows}
    assert texts == {"A": "10.5", "B": "22", "C": "29.5"}


def test_additive_refuses_experts_who_share_no_candidate() -> None:
    rules = rules_of(ONE_CRITERION, '[experts]\nadjust = "additive"', EXPERTS_ONLY)
    scores = marks_of({"X": {"A": [10], "B": [20]}, "Y": {"B": [24]}, "Z": {"C": [30]}})
    with pytest.raises(InputError) as refused:
        rank_marks(rules, scores)
    assert "experts X, Y with candidates A, B; experts Z with candidates C" in refused.value.reason


@pytest.mark.parametrize(
    ("count", "names"), [(8, "E0, E1, E2, E3, E4, E5, E6, E7 with"), (10, "E6, E7 and 2 more with")]
)
def test_a_large_component_is_named_in_part(count: int, names: str) -> None:
    rules = rules_of(ONE_CRITERION, '[experts]\nadjust = "additive"', EXPERTS_ONLY)
    sheets = {f"E{number}": {"A": [10]} for number in range(count)} | {"Z": {"B": [10]}}
    with pytest.raises(InputError) as refused:
        rank_marks(rules, marks_of(sheets))
    assert names in refused.value.reason


def test_adjusted_marks_are_not_clipped() -> None:
    # X is far more generous than Y; ridge near 0 takes about 40 off a mark of 10
    rules = rules_of(
        '[[criteria]]\nid = "idea"\nweight = "1"\nmax = "100"',
        '[experts]\nadjust = "additive"\nridge = "0.0001"',
        EXPERTS_ONLY,
    )
    scores = marks_of({"X": {"A": [10], "B": [90]}, "Y": {"B": [0]}})
    assert rows_of(rank_marks(rules, scores))["A"].expert_points_text.startswith("-34.9")


def test_experts_t_score_leaves_out_who_has_no_marks() -> None:
    # 70 and 90: mean 80, sd 10 → 40 and 60; C has none and counts 0
    rules = rules_of(
        ONE_CRITERION,
        '[combination]\nexperts = "0.5"\nexperts_transform = "t_score"\nexperts_decimals = 2\ndecimals = 1',
    )
    rows = rows_of(rank_marks(rules, marks_of({"X": {"A": [70], "B": [90]}}), "C"))
    assert {name: row.expert_points_text for name, row in rows.items()} == {"A": "40.00", "B": "60.00", "C": ""}
    assert {name: row.total_text for name, row in rows.items()} == {"A": "20.0", "B": "30.0", "C": "0.0"}


def test_experts_t_score_of_one_candidate_is_50() -> None:
    rules = rules_of(ONE_CRITERION, '[combination]\nexperts = "1"\nexperts_transform = "t_score"')
    assert rank_marks(rules, marks_of({"X": {"A": [70]}})).rows[0].expert_points_text == "50"


def test_experts_linear_to_max() -> None:
    # 100·70/80 = 87.5
    rules = rules_of(ONE_CRITERION, '[combination]\nexperts = "1"\nexperts_transform = "linear_to_max"')
    rows = rows_of(rank_marks(rules, marks_of({"X": {"A": [70], "B": [80]}})))
    assert (rows["A"].expert_points_text, rows["B"].expert_points_text) == ("87.5", "100")


def test_experts_linear_to_max_of_small_and_of_negative_scores() -> None:
    # 100·0.25/0.5 = 50; a maximum of 0 or less gives 0 to all, since dividing by it would turn the order round
    rules = rules_of(
        '[[criteria]]\nid = "idea"\nweight = "1"\nmin = "-9"',
        '[combination]\nexperts = "1"\nexperts_transform = "linear_to_max"',
    )
    for marks, expected in ((["0.25", "0.5"], ["50", "100"]), (["-2", "-1"], ["0", "0"]), (["0", "-1"], ["0", "0"])):
        rows = rows_of(rank_marks(rules, marks_of({"X": {"A": [marks[0]], "B": [marks[1]]}})))
        assert [rows["A"].expert_points_text, rows["B"].expert_points_text] == expected


def test_a_recused_experts_candidate_has_one_sheet_fewer() -> None:
    assert points('aggregate = "mean"', {"A": [60, 70, 80], "B": [90, 70]}) == {"A": "70", "B": "80"}


def test_marks_of_a_withdrawn_candidate_count_for_nothing() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from services.shared.ranking.ranking import rank
    from tests.unit.ranking.builders import candidates_of

    rules = rules_of(ONE_CRITERION, '[combination]\nexperts = "1"\nexperts_transform = "linear_to_max"')
    kept, gone = candidates_of("A", "B")
    gone = replace(gone, withdrawn_at=datetime(2020, 10, 25, tzinfo=UTC))
    ranking = rank(rules, (kept, gone), None, marks_of({"X": {"A": [50], "B": [100]}}))
    assert [(row.candidate, row.expert_points_text) for row in ranking.rows] == [("A", "100")]

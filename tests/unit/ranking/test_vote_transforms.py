"""Every transform of votes, with numbers worked out by hand."""

import pytest

from services.shared.ranking.ranking import rank
from tests.unit.ranking.builders import candidates_of, rank_votes, rows_of, rules_of, vote_points


def test_raw_is_the_count() -> None:
    assert vote_points("raw", {"A": 60, "B": 30, "C": 0}) == {"A": "60", "B": "30", "C": "0"}


def test_share_is_the_percentage_of_the_group() -> None:
    # V = 3 + 5 + 8 = 16; 300/16, 500/16, 800/16
    assert vote_points("share", {"A": 3, "B": 5, "C": 8}) == {"A": "18.75", "B": "31.25", "C": "50"}


def test_linear_to_max_gives_the_leader_a_hundred() -> None:
    # 100·30/60 = 50; 100·10/60 = 16.666…, printed with ten decimals
    assert vote_points("linear_to_max", {"A": 60, "B": 30, "C": 10}) == {"A": "100", "B": "50", "C": "16.6666666667"}


def test_log_to_max_compares_logarithms() -> None:
    # ln 4 = 2·ln 2 and ln 1 = 0
    assert vote_points("log_to_max", {"A": 3, "B": 1, "C": 0}) == {"A": "100", "B": "50", "C": "0"}


def test_percentile_counts_half_of_the_equals_and_the_candidate_itself() -> None:
    # n = 4. 9: 3 fewer, 1 equal → 100·3.5/4; each 5: 1 fewer, 2 equal → 100·2/4; 1: 0 fewer, 1 equal → 100·0.5/4
    assert vote_points("percentile", {"A": 9, "B": 5, "C": 5, "D": 1}) == {
        "A": "87.5",
        "B": "50",
        "C": "50",
        "D": "12.5",
    }


def test_t_score_uses_the_population_deviation() -> None:
    # mean 5, squares 9+1+1+1+0+0+4+16 = 32, 32/8 = 4, sd 2: 2 → 50 − 15, 9 → 50 + 20
    votes = dict(zip("ABCDEFGH", (2, 4, 4, 4, 5, 5, 7, 9), strict=True))
    points = vote_points("t_score", votes)
    assert list(points.values()) == ["70", "60", "50", "50", "45", "45", "45", "35"]


def test_t_score_is_clipped_to_a_hundred() -> None:
    # One vote among 100 candidates: mean 0.01, sd √0.0099 ≈ 0.0995, z ≈ 9.95 → 149.5
    votes = {f"C{number:03}": int(number == 7) for number in range(100)}
    assert vote_points("t_score", votes)["C007"] == "100"


def test_t_score_log_is_the_t_score_of_logarithms() -> None:
    # With L = ln 2: 0, L, 2L; mean L, sd L·√(2/3); z = √(3/2) = 1.22474487139
    points = vote_points("t_score_log", {"A": 0, "B": 1, "C": 3})
    assert points == {"A": "37.7525512861", "B": "50", "C": "62.2474487139"}


def test_rank_points_average_among_equals() -> None:
    # places 2 and 3 share (8 + 6)/2; place 4 is beyond the list
    votes = {"A": 9, "B": 5, "C": 5, "D": 1}
    assert vote_points("rank_points", votes, "points = [10, 8, 6]") == {"A": "10", "B": "7", "C": "7", "D": "0"}


def test_rank_points_may_give_0() -> None:
    assert vote_points("rank_points", {"A": 5, "B": 4}, "points = [1, 0]") == {"A": "1", "B": "0"}


def test_rank_points_average_over_places_beyond_the_list() -> None:
    # places 1 and 2 share (10 + 0)/2
    assert vote_points("rank_points", {"A": 5, "B": 5}, 'points = ["10"]') == {"A": "5", "B": "5"}


def test_rank_points_best_gives_equals_the_better_place() -> None:
    points = vote_points("rank_points", {"A": 9, "B": 5, "C": 5, "D": 1}, 'points = [10, 8, 6]\nties = "best"')
    assert points == {"A": "10", "B": "8", "C": "8", "D": "0"}


@pytest.mark.parametrize("transform", ["raw", "share", "linear_to_max", "log_to_max"])
def test_no_votes_at_all_give_0(transform: str) -> None:
    assert vote_points(transform, {"A": 0, "B": 0}) == {"A": "0", "B": "0"}


@pytest.mark.parametrize("transform", ["t_score", "t_score_log"])
@pytest.mark.parametrize("votes", [{"A": 7, "B": 7}, {"A": 0, "B": 0}, {"A": 12}])
def test_no_spread_gives_50(transform: str, votes: dict[str, int]) -> None:
    assert set(vote_points(transform, votes).values()) == {"50"}


def test_cap_credits_no_more_than_its_share_of_the_votes_before_capping() -> None:
    # V = 100, cap·V = 50. share: 100·50/100; linear_to_max against the credited maximum: 100·10/50
    votes = {"A": 80, "B": 10, "C": 10}
    assert vote_points("raw", votes, 'cap = "0.5"') == {"A": "50", "B": "10", "C": "10"}
    assert vote_points("share", votes, 'cap = "0.5"') == {"A": "50", "B": "10", "C": "10"}
    assert vote_points("linear_to_max", votes, 'cap = "0.5"') == {"A": "100", "B": "20", "C": "20"}


def test_cap_may_credit_a_fraction_of_a_vote() -> None:
    # V = 9, cap·V = 2.25; ln(3.25)/ln(3.25) = 1 and ln 3 / ln 3.25 = 0.9320884…
    assert vote_points("raw", {"A": 7, "B": 2}, 'cap = "0.25"') == {"A": "2.25", "B": "2"}
    points = vote_points("log_to_max", {"A": 7, "B": 2}, 'cap = "0.25"')
    assert points["A"] == "100"
    assert points["B"].startswith("93.208")


def test_strata_are_transformed_on_their_own_and_summed() -> None:
    # city: 3 of 4 and 1 of 4 → 75, 25; county: 1 of 2 each → 50, 50
    rules = rules_of('[votes]\ntransform = "share"\nper = "stratum"', '[combination]\nvotes = "1"')
    votes = {("A", "city"): 3, ("B", "city"): 1, ("A", "county"): 1, ("B", "county"): 1}
    rows = rows_of(rank(rules, candidates_of("A", "B"), votes, None))
    assert (rows["A"].vote_points_text, rows["B"].vote_points_text) == ("125", "75")
    assert (rows["A"].votes, rows["B"].votes) == (4, 2)


def test_strata_do_not_matter_per_all() -> None:
    rules = rules_of('[votes]\ntransform = "share"', '[combination]\nvotes = "1"')
    votes = {("A", "city"): 3, ("B", "city"): 1, ("A", "county"): 1, ("B", "county"): 1}
    rows = rows_of(rank(rules, candidates_of("A", "B"), votes, None))
    assert (rows["A"].vote_points_text, rows["B"].vote_points_text) == ("66.6666666667", "33.3333333333")


def test_a_stratum_without_a_vote_is_no_stratum() -> None:
    rules = rules_of('[votes]\ntransform = "t_score"\nper = "stratum"', '[combination]\nvotes = "1"')
    votes = {("A", "city"): 3, ("B", "city"): 1}
    padded = votes | {("A", "county"): 0, ("B", "county"): 0}
    plain, with_zeros = (rank(rules, candidates_of("A", "B"), each, None) for each in (votes, padded))
    assert plain == with_zeros
    assert rows_of(plain)["A"].vote_points_text == "60"


def test_votes_are_rounded_once_to_their_decimals() -> None:
    # 100/3 = 33.333… → 33.33, 200/3 = 66.666… → 66.67, both printed with two decimals
    assert vote_points("share", {"A": 1, "B": 2}, "decimals = 2") == {"A": "33.33", "B": "66.67"}


def test_votes_of_a_withdrawn_candidate_count_for_nothing() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    rules = rules_of('[votes]\ntransform = "share"', '[combination]\nvotes = "1"')
    first, second, gone = candidates_of("A", "B", "C")
    gone = replace(gone, withdrawn_at=datetime(2020, 10, 25, tzinfo=UTC))
    ranking = rank(rules, (first, second, gone), {("A", ""): 1, ("B", ""): 3, ("C", ""): 96}, None)
    assert {row.candidate: row.vote_points_text for row in ranking.rows} == {"A": "25", "B": "75"}


def test_a_candidate_without_a_row_has_no_votes() -> None:
    rules = rules_of('[combination]\nvotes = "1"')
    ranking = rank(rules, candidates_of("A", "B"), {("A", ""): 2}, None)
    assert rows_of(ranking)["B"].votes == 0
    assert rows_of(rank_votes(rules, {"A": 2, "B": 0})) == rows_of(ranking)

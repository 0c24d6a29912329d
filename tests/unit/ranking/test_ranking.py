"""The combination of both sides, the printed table, and what stands beside it."""

from fractions import Fraction

import pytest

from services.shared.ranking.errors import InputError
from services.shared.ranking.explanation import explain_ranking
from services.shared.ranking.ranking import rank, ranking_csv
from services.shared.ranking.rules import effective_weights
from tests.unit.ranking.builders import ONE_CRITERION, candidates_of, marks_of, rank_marks, rank_votes, rules_of

BOTH = '[combination]\nvotes = "0.3"\nexperts = "0.7"\n'


def test_the_total_is_rounded_once_from_the_rounded_points() -> None:
    # vote points 100/3 → 33.33 and 66.67; expert points 80 and 70.
    # A: 0.3·33.33 + 0.7·80 = 9.999 + 56 = 65.999 → 66.0; B: 0.3·66.67 + 0.7·70 = 20.001 + 49 = 69.001 → 69.0
    rules = rules_of(
        ONE_CRITERION, '[votes]\ntransform = "share"\ndecimals = 2', BOTH + "decimals = 1\nexperts_decimals = 2"
    )
    ranking = rank(
        rules, candidates_of("A", "B"), {("A", ""): 1, ("B", ""): 2}, marks_of({"X": {"A": [80], "B": [70]}})
    )
    assert ranking_csv(ranking).decode() == (
        "group,place,candidate,total,vote_points,expert_points,tie_break,outcome\n"
        "all,1,B,69.0,66.67,70.00,,\n"
        "all,2,A,66.0,33.33,80.00,,\n"
    )


def test_an_exact_half_is_rounded_up_where_floating_point_would_not() -> None:
    # Marks 1, 0, 0 → 1/3; weight 0.015 · 1/3 = 0.005 exactly → 0.01
    rules = rules_of('[[criteria]]\nid = "idea"\nweight = "0.015"', '[combination]\nexperts = "1"\ndecimals = 2')
    assert rank_marks(rules, marks_of({"X": {"A": [1]}, "Y": {"A": [0]}, "Z": {"A": [0]}})).rows[0].total_text == "0.01"


def test_votes_alone_leave_expert_points_empty() -> None:
    ranking = rank_votes(rules_of('[combination]\nvotes = "1"\nexperts = "0"'), {"A": 7})
    assert ranking_csv(ranking).decode().splitlines()[1] == "all,1,A,7,7,,,"
    assert ranking.notes == ()


def test_marks_alone_leave_vote_points_empty() -> None:
    rules = rules_of(ONE_CRITERION, '[combination]\nvotes = "0"\nexperts = "1"')
    ranking = rank_marks(rules, marks_of({"X": {"A": [80]}}))
    assert ranking_csv(ranking).decode().splitlines()[1] == "all,1,A,80,,80,,"


def test_a_weighted_side_that_is_not_given_is_noted() -> None:
    ranking = rank_votes(rules_of(ONE_CRITERION, BOTH), {"A": 10})
    assert ranking.rows[0].total == 3
    assert ranking.notes == ("experts have a weight and no scores are given: expert points are empty and count 0",)


def test_neither_side_is_refused() -> None:
    with pytest.raises(InputError, match="neither votes nor scores"):
        rank(rules_of(BOTH), candidates_of("A"), None, None)


def test_rows_are_sorted_by_group_place_and_candidate() -> None:
    rules = rules_of('[groups]\nby = ["level"]', '[combination]\nvotes = "1"')
    candidates = candidates_of("D", "C", "B", "A") + candidates_of("Z", level="key")
    ranking = rank(rules, candidates, {("A", ""): 1, ("B", ""): 5, ("C", ""): 5}, None)
    assert [(row.group, row.place, row.candidate) for row in ranking.rows] == [
        ("level=key", 1, "Z"),
        ("level=major", 1, "B"),
        ("level=major", 1, "C"),
        ("level=major", 3, "A"),
        ("level=major", 4, "D"),
    ]


def test_a_candidate_without_the_value_that_groups_is_refused() -> None:
    rules = rules_of('[groups]\nby = ["level"]', '[combination]\nvotes = "1"')
    with pytest.raises(InputError, match='candidate "A" lacks one of level'):
        rank(rules, candidates_of("A", level=""), {}, None)


@pytest.mark.parametrize(("votes", "reason"), [({("Z", ""): 1}, "not among"), ({("A", ""): -1}, "below 0")])
def test_impossible_counts_are_refused(votes: dict[tuple[str, str], int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        rank(rules_of('[combination]\nvotes = "1"'), candidates_of("A"), votes, None)


def test_effective_weights_are_shares_of_the_deviation_of_the_total() -> None:
    # Votes 0 and 10, marks 10 and 30, both weights 0.5: parts ±2.5 and ±5, totals ±7.5.
    # cov/var: votes 2.5·7.5/7.5² = 1/3, experts 5·7.5/7.5² = 2/3
    rules = rules_of(ONE_CRITERION, '[combination]\nvotes = "0.5"\nexperts = "0.5"')
    scores = marks_of({"X": {"A": [10], "B": [30]}})
    ranking = rank(rules, candidates_of("A", "B"), {("A", ""): 0, ("B", ""): 10}, scores)
    assert effective_weights(rules, ranking) == {
        "votes": Fraction(1, 3),
        "experts": Fraction(2, 3),
        "criterion:idea": Fraction(2, 3),
    }


def test_effective_weights_need_different_totals() -> None:
    rules = rules_of('[combination]\nvotes = "1"')
    assert effective_weights(rules, rank_votes(rules, {"A": 5, "B": 5})) == {}


def test_the_explanation_names_digest_fallbacks_tie_breaks_and_notes() -> None:
    rules = rules_of(
        ONE_CRITERION,
        '[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\npanel_min = 2',
        '[combination]\nexperts = "1"\ntie_break = ["criterion:idea", "lots"]',
    )
    scores = marks_of({"X": {"A": [80], "B": [80]}})
    candidates = candidates_of("A", "B", "C")
    sentences = explain_ranking(rank(rules, candidates, None, scores, "seed"))
    assert sentences[0] == f"rules digest {rules.digest}"
    assert "note: C has no marks: its expert points are empty and count 0" in sentences
    assert "note: the seed of the lots was not committed to in the rules" in sentences
    assert "fallback: A (all) has 1 of 2 marks, aggregated by mean" in sentences
    assert "tie-break: B (all) was separated by lots" in sentences

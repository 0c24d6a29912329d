"""Places, the tie-break chain and shared places."""

import hashlib

import pytest

from services.shared.ranking.errors import InputError
from services.shared.ranking.ranking import Ranking, rank
from tests.unit.ranking.builders import ONE_CRITERION, candidates_of, marks_of, rank_marks, rank_votes, rules_of


def places(ranking: Ranking) -> list[tuple[str, int, str]]:
    return [(row.candidate, row.place, row.tie_break) for row in ranking.rows]


def test_equals_share_a_place_and_the_next_one_is_skipped() -> None:
    ranking = rank_votes(rules_of('[combination]\nvotes = "1"'), {"A": 5, "B": 9, "C": 9, "D": 9, "E": 1})
    assert places(ranking) == [("B", 1, ""), ("C", 1, ""), ("D", 1, ""), ("A", 4, ""), ("E", 5, "")]


def test_equal_means_equal_after_rounding() -> None:
    # 100/300.5 and 100.5/300.5 differ, rounded to a whole number both are 33
    rules = rules_of('[votes]\ntransform = "share"', '[combination]\nvotes = "1"\ndecimals = 0')
    assert [row.place for row in rank_votes(rules, {"A": 1000, "B": 1001, "C": 1004}).rows] == [1, 1, 1]


def test_each_candidate_names_the_last_link_it_needed() -> None:
    # All totals are 0. A has the best marks; B and C have equal marks and different votes; D and E share everything.
    rules = rules_of(ONE_CRITERION, '[combination]\ntie_break = ["experts", "votes"]')
    scores = marks_of({"X": {"A": [90], "B": [80], "C": [80], "D": [70], "E": [70]}})
    votes = {("A", ""): 1, ("B", ""): 9, ("C", ""): 3, ("D", ""): 5, ("E", ""): 5}
    ranking = rank(rules, candidates_of(*"ABCDE"), votes, scores)
    assert places(ranking) == [
        ("A", 1, "experts"),
        ("B", 2, "votes"),
        ("C", 3, "votes"),
        ("D", 4, "experts"),
        ("E", 4, "experts"),
    ]
    assert [(tie.candidate, tie.link) for tie in ranking.tie_breaks][:2] == [("A", "experts"), ("B", "votes")]


def test_another_total_needs_no_link() -> None:
    ranking = rank_votes(rules_of('[combination]\nvotes = "1"\ntie_break = ["votes"]'), {"A": 5, "B": 9})
    assert places(ranking) == [("B", 1, ""), ("A", 2, "")]


def test_votes_break_ties_uncapped() -> None:
    # V = 20, the cap credits 8 to both
    rules = rules_of('[votes]\ncap = "0.4"', '[combination]\nvotes = "1"\ntie_break = ["votes"]')
    assert places(rank_votes(rules, {"A": 9, "B": 11})) == [("B", 1, "votes"), ("A", 2, "votes")]


def test_no_marks_count_0_for_the_chain_too() -> None:
    rules = rules_of(ONE_CRITERION, '[combination]\nexperts = "1"\ntie_break = ["experts", "criteria"]')
    assert places(rank_marks(rules, marks_of({"X": {"A": [0]}}), "B")) == [("A", 1, ""), ("B", 1, "")]


CRITERIA = "".join(
    f'[[criteria]]\nid = "{name}"\nweight = "{weight}"\n'
    for name, weight in (("idea", "1"), ("use", "2"), ("reach", "1"))
)


@pytest.mark.parametrize(
    ("a", "b", "first", "link"),
    [
        ([50, 50, 50], [50, 49, 52], "A", "criterion:use"),  # heaviest first: 50 > 49
        ([50, 50, 50], [49, 50, 51], "A", "criterion:idea"),  # equal weights in file order: 50 > 49
        ([50, 50, 50], [50, 50, 50], "A", ""),  # nothing separates them
    ],
)
def test_criteria_go_by_weight_then_by_file_order(a: list[int], b: list[int], first: str, link: str) -> None:
    # 1·idea + 2·use + 1·reach is 200 for each
    rules = rules_of(CRITERIA, '[combination]\nexperts = "1"\ntie_break = ["criteria"]')
    ranking = rank_marks(rules, marks_of({"X": {"A": a, "B": b}}, "idea", "use", "reach"))
    assert ranking.rows[0].candidate == first
    assert {row.tie_break for row in ranking.rows} == {link}


def test_one_criterion_by_name() -> None:
    rules = rules_of(CRITERIA, '[combination]\nexperts = "1"\ntie_break = ["criterion:reach"]')
    ranking = rank_marks(rules, marks_of({"X": {"A": [50, 50, 50], "B": [50, 49, 52]}}, "idea", "use", "reach"))
    assert places(ranking) == [("B", 1, "criterion:reach"), ("A", 2, "criterion:reach")]


def test_criteria_separate_nobody_when_sheets_are_aggregated() -> None:
    rules = rules_of(
        CRITERIA, '[experts]\norder = "sheet_first"', '[combination]\nexperts = "1"\ntie_break = ["criteria"]'
    )
    ranking = rank_marks(rules, marks_of({"X": {"A": [50, 50, 50], "B": [50, 49, 52]}}, "idea", "use", "reach"))
    assert places(ranking) == [("A", 1, ""), ("B", 1, "")]


LOTS = '[combination]\nvotes = "1"\ntie_break = ["lots"]\nlots_commitment = "{}"\n'


def test_lots_go_by_the_hash_of_seed_and_candidate() -> None:
    digest = hashlib.sha256(b"seed 42").hexdigest()
    ranking = rank_votes(rules_of(LOTS.format(digest)), {"A": 1, "B": 1, "C": 1}, "seed 42")
    by_hash = sorted("ABC", key=lambda name: hashlib.sha256(f"seed 42:{name}".encode()).hexdigest())
    assert places(ranking) == [(name, place, "lots") for place, name in enumerate(by_hash, start=1)]


def test_a_seed_other_than_the_committed_one_is_refused() -> None:
    digest = hashlib.sha256(b"seed 42").hexdigest()
    with pytest.raises(InputError, match=r"reveal.toml: lots_seed does not have the SHA-256"):
        rank_votes(rules_of(LOTS.format(digest)), {"A": 1}, "seed 43")


def test_without_a_seed_equals_share_a_place_and_a_note_says_so() -> None:
    ranking = rank_votes(rules_of(LOTS.format("")), {"A": 1, "B": 1})
    assert places(ranking) == [("A", 1, ""), ("B", 1, "")]
    assert "lots decide ties and no seed is revealed: those equal until then share a place" in ranking.notes

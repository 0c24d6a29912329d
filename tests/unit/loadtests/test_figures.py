"""Medians, spreads, percentiles and ratios of the comparison, and the goals they are held against."""

import math

import pytest

from loadtests.bench.figures import percentile, ratios, rounded, spread, spreads
from loadtests.bench.report import GOALS, Goal, look_up, results, table

ABOUT = {"machine": {"processor": "x"}, "commit": "abc", "complete": True, "seconds": 10.0, "connections": 64}
ROUNDS = [
    {
        "ours": {"ballots_per_s": 3000.0, "cpu_us_per_ballot": 200.0, "cpu_us_voting": 150.0, "cpu_us_postgres": 50.0},
        "fastapi_asyncpg": {"ballots_per_s": 600.0, "cpu_us_per_ballot": 1000.0},
    },
    {
        "ours": {"ballots_per_s": 1000.0, "cpu_us_per_ballot": 220.0, "cpu_us_voting": 160.0, "cpu_us_postgres": 60.0},
        "fastapi_asyncpg": {"ballots_per_s": 250.0, "cpu_us_per_ballot": 1100.0},
    },
]


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)) == (50, 99, 100)
    assert percentile([7.0], 0.01) == 7


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0), ([1.0], 1.01)])
def test_a_percentile_of_nothing_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="needs values"):
        percentile(values, share)


def test_a_spread_is_median_least_and_greatest() -> None:
    assert spread([5.0, 1.0, 9.0, 3.0]) == {"median": 4.0, "min": 1.0, "max": 9.0}


def test_figures_that_a_round_lacks_are_left_out() -> None:
    assert spreads([{"a": 1.0}, {"a": 3.0, "b": 2.0}])["b"] == {"median": 2.0, "min": 2.0, "max": 2.0}


def test_four_digits_are_kept() -> None:
    assert (rounded(3467.8123), rounded(0.0123456), rounded(123456.7), rounded(0.0)) == (3468.0, 0.01235, 123457.0, 0.0)
    assert math.isinf(rounded(math.inf))


def test_ratios_are_ours_by_theirs_in_each_round() -> None:
    assert ratios([10.0, 30.0], [2.0, 3.0]) == [5.0, 10.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_the_document_has_the_contracts_members() -> None:
    document = results(ROUNDS, {"voter": {"cpu_us_per_voter": 4321.0}}, ABOUT)
    assert set(document["ratios"]) >= {
        "throughput_vs_fastapi", "cpu_vs_fastapi", "throughput_vs_raw_echo", "throughput_vs_litestar_echo",
        "throughput_vs_evalsha", "throughput_vs_pgbench_voter", "duplicate_cpu_vs_accept", "batching_gain",
    }  # fmt: skip
    # Round by round 5 and 4: the median of the ratios, not the ratio of the medians (2,000 ÷ 425).
    assert document["ratios"]["throughput_vs_fastapi"] == 4.5
    assert document["ratios"]["cpu_vs_fastapi"] == 0.2
    assert document["ratios"]["batching_gain"] is None
    assert (document["rounds"], document["cpu_us_per_ballot"], document["cpu_us_per_voter"]) == (2, 210.0, 4321.0)
    assert document["p99_ms_at_70_percent"] is None
    assert document["contenders"]["ours"]["ballots_per_s"] == {"median": 2000.0, "min": 1000.0, "max": 3000.0}


def test_a_goal_says_by_how_much_it_is_missed() -> None:
    at_least, at_most = Goal("faster", ("x",), 5, at_least=True), Goal("cheaper", ("x",), 0.5)
    assert at_least.missed_by(5) is None
    assert at_most.missed_by(0.5) is None
    assert at_least.missed_by(4.5) == pytest.approx(0.1)
    assert at_most.missed_by(0.6) == pytest.approx(0.2)


def test_the_table_names_every_goal_and_how_it_stands() -> None:
    document = results(ROUNDS, {}, {**ABOUT, "load_tool": "wrk 4"})
    text = table(document)
    assert all(goal.text in text for goal in GOALS)
    assert "| ≥ 5 | 4.5 (4–5) | **missed by 10%** |" in text
    assert "| ≤ 0.167 | 0.2 (0.2–0.2) | **missed by 20%** |" in text
    assert "not measured" in text
    assert "voting 155, postgres 55" in text
    assert look_up(document, ("ratios", "no_such")) is None

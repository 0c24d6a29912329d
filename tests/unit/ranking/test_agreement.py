"""Agreement of experts: published tables, and the same numbers from other people's libraries."""

import warnings
from fractions import Fraction
from typing import Any

import krippendorff
import numpy
import pandas  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare  # type: ignore[import-untyped]

from services.shared.ranking.statistics.agreement import (
    Reading,
    alpha_interval,
    icc_a_k,
    kendall_w,
    read_alpha,
    read_icc,
    read_w,
)

QUICK = settings(max_examples=40, deadline=None)

# Shrout & Fleiss, Psychological Bulletin 86 (1979), table 2: four judges, six targets; table 4 gives ICC(2,4) = .62.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers, twelve units, one
# in each row here. The paper gives 0.849 for interval data.
KRIPPENDORFF = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


def test_icc_of_the_published_table() -> None:
    found = icc_a_k(SHROUT_FLEISS)
    assert found is not None
    assert round(found, 2) == Fraction("0.62")


def test_alpha_of_the_published_table() -> None:
    found = alpha_interval(KRIPPENDORFF)
    assert found is not None
    assert round(found, 3) == Fraction("0.849")


def test_kendalls_w_by_hand() -> None:
    # Three experts order four candidates 1234, 1243, 2134: rank sums 4, 5, 10, 11, mean 7.5, S = 12.25 + 6.25 + 6.25 +
    # 12.25 = 37; W = 12 · 37 / (9 · 60) = 37/45.
    assert kendall_w([[1, 1, 2], [2, 2, 1], [3, 4, 3], [4, 3, 4]]) == Fraction(37, 45)
    assert kendall_w([[1, 10], [2, 20], [3, 30]]) == 1
    assert kendall_w([[1, 3], [2, 2], [3, 1]]) == 0


def tables(rows_min: int, columns_min: int) -> st.SearchStrategy[list[list[int]]]:
    """Tables of marks with plenty of ties."""
    return st.integers(columns_min, 5).flatmap(
        lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=rows_min, max_size=8)
    )


@QUICK
@given(tables(3, 2))
def test_icc_agrees_with_pingouin(table: list[list[int]]) -> None:
    found = icc_a_k(table)
    expected = _pingouin_icc(table)
    if found is None or not numpy.isfinite(expected):
        return
    assert float(found) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def _pingouin_icc(table: list[list[int]]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of tables whose error is 0, and of what it imports
        import pingouin  # type: ignore[import-untyped]

        rows = [(n, k, mark) for n, row in enumerate(table) for k, mark in enumerate(row)]
        frame = pandas.DataFrame(rows, columns=["target", "rater", "mark"])
        try:
            result: Any = pingouin.intraclass_corr(frame, targets="target", raters="rater", ratings="mark")
        except (AssertionError, ValueError, ZeroDivisionError):
            return float("nan")
        kinds = result["Type"].isin(["ICC2k", "ICC(A,k)"])
        return float(result.loc[kinds, "ICC"].iloc[0])


@QUICK
@given(tables(3, 3))
def test_kendalls_w_agrees_with_friedmans_test(table: list[list[int]]) -> None:
    """Friedman's statistic over the experts as blocks is m · (n − 1) · W, ties included."""
    found = kendall_w(table)
    if found is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        statistic = friedmanchisquare(*table).statistic
    n, m = len(table), len(table[0])
    assert float(found) * m * (n - 1) == pytest.approx(statistic, rel=1e-9, abs=1e-9)


@QUICK
@given(st.lists(st.lists(st.none() | st.integers(0, 6), min_size=4, max_size=4), min_size=3, max_size=8))
def test_alpha_agrees_with_the_krippendorff_package(rows: list[list[int | None]]) -> None:
    found = alpha_interval([[mark for mark in row if mark is not None] for row in rows])
    if found is None:
        return
    data = numpy.array([[numpy.nan if mark is None else float(mark) for mark in row] for row in rows]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="interval")
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@QUICK
@given(tables(2, 2), st.integers(1, 9), st.integers(-50, 50))
def test_a_common_scale_changes_nothing(table: list[list[int]], factor: int, shift: int) -> None:
    scaled = [[factor * mark + shift for mark in row] for row in table]
    assert icc_a_k(scaled) == icc_a_k(table)
    assert kendall_w(scaled) == kendall_w(table)
    assert alpha_interval(scaled) == alpha_interval(table)


@pytest.mark.parametrize("table", [[], [[1, 2]], [[1], [2]], [[3, 3], [3, 3]]])
def test_what_cannot_be_told_is_none(table: list[list[int]]) -> None:
    assert icc_a_k(table) is None
    assert kendall_w(table) is None


def test_alpha_without_pairs_or_without_variation_is_none() -> None:
    assert alpha_interval([]) is None
    assert alpha_interval([[1], [2]]) is None
    assert alpha_interval([[2, 2], [2, 2]]) is None


def test_readings_change_at_their_limits() -> None:
    half = Fraction(1, 2)
    assert [read_icc(Fraction(text)) for text in ("0.49", "0.5", "0.75", "0.9")] == [
        Reading.POOR, Reading.MODERATE, Reading.GOOD, Reading.EXCELLENT,
    ]  # fmt: skip
    assert [read_w(Fraction(text)) for text in ("0.29", "0.3", "0.5", "0.7", "0.9")] == [
        Reading.VERY_WEAK, Reading.WEAK, Reading.MODERATE, Reading.STRONG, Reading.VERY_STRONG,
    ]  # fmt: skip
    assert [read_alpha(Fraction(text)) for text in ("0.666", "0.667", "0.8")] == [
        Reading.UNRELIABLE, Reading.TENTATIVE, Reading.RELIABLE,
    ]  # fmt: skip
    assert read_icc(None) is read_w(None) is read_alpha(None) is Reading.UNDEFINED
    assert read_alpha(half) is Reading.UNRELIABLE

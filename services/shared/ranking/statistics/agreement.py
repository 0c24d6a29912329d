"""How far the experts agree: ICC(A,k), Kendall's W and Krippendorff's alpha, exactly, each with a reading in one word.

A table is rows of whole numbers, one row per candidate and one column per expert; only their proportions matter.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final

Table = Sequence[Sequence[int]]


class Reading(StrEnum):
    """What a coefficient says, as a word that pages translate."""

    UNDEFINED = "undefined"
    POOR = "poor"
    MODERATE = "moderate"
    GOOD = "good"
    EXCELLENT = "excellent"
    VERY_WEAK = "very_weak"
    WEAK = "weak"
    STRONG = "strong"
    VERY_STRONG = "very_strong"
    UNRELIABLE = "unreliable"
    TENTATIVE = "tentative"
    RELIABLE = "reliable"


# From which value on a word applies, highest first. Koo & Li, Journal of Chiropractic Medicine 15 (2016).
_ICC_WORDS: Final = (("0.9", Reading.EXCELLENT), ("0.75", Reading.GOOD), ("0.5", Reading.MODERATE))
# Schmidt, Decision Sciences 28 (1997), table 2.
_W_WORDS: Final = (
    ("0.9", Reading.VERY_STRONG),
    ("0.7", Reading.STRONG),
    ("0.5", Reading.MODERATE),
    ("0.3", Reading.WEAK),
)
# Krippendorff, Content Analysis, 2nd edition (2004), p. 241.
_ALPHA_WORDS: Final = (("0.8", Reading.RELIABLE), ("0.667", Reading.TENTATIVE))


def icc_a_k(table: Table) -> Fraction | None:
    """Return ICC(A,k): absolute agreement of the mean of k experts, two-way random effects.

    `(MS_rows − MS_error) / (MS_rows + (MS_columns − MS_error) / n)` for n rows; McGraw & Wong, Psychological Methods 1
    (1996), table 4, case 2. None for fewer than two rows or columns, or where nothing varies.
    """
    n, k = len(table), len(table[0]) if table else 0
    if n < 2 or k < 2:
        return None
    total = sum(map(sum, table))
    correction = Fraction(total * total, n * k)
    rows = Fraction(sum(sum(row) ** 2 for row in table), k) - correction
    columns = Fraction(sum(sum(column) ** 2 for column in zip(*table, strict=True)), n) - correction
    error = sum(value * value for row in table for value in row) - correction - rows - columns
    ms_rows, ms_columns, ms_error = rows / (n - 1), columns / (k - 1), error / ((n - 1) * (k - 1))
    denominator = ms_rows + (ms_columns - ms_error) / n
    return (ms_rows - ms_error) / denominator if denominator else None


def kendall_w(table: Table) -> Fraction | None:
    """Return Kendall's W of the experts' orders, corrected for ties.

    `12 S / (m² (n³ − n) − m Σ T)`, S the squared deviations of the rank sums, T = Σ (t³ − t) over an expert's ties of
    t candidates; Kendall & Gibbons, Rank Correlation Methods (1990), chapter 6. Equal marks share their mean rank.
    None for fewer than two rows or columns, or where every expert gave everybody the same.
    """
    n, m = len(table), len(table[0]) if table else 0
    if n < 2 or m < 2:
        return None
    sums, ties = [0] * n, 0  # twice the ranks, to stay among whole numbers
    for column in zip(*table, strict=True):
        doubled = _doubled_ranks(column)
        sums = [so_far + rank for so_far, rank in zip(sums, doubled, strict=True)]
        ties += sum(t**3 - t for t in Counter(column).values())
    squared = n * sum(value * value for value in sums) - sum(sums) ** 2  # 4 · n · S
    denominator = m * m * (n**3 - n) - m * ties
    return Fraction(3 * squared, n * denominator) if denominator else None


def _doubled_ranks(values: Sequence[int]) -> list[int]:
    first: dict[int, int] = {}
    for position, value in enumerate(sorted(values)):
        first.setdefault(value, position)
    count = Counter(values)
    return [2 * first[value] + count[value] + 1 for value in values]


def alpha_interval(rows: Iterable[Sequence[int]]) -> Fraction | None:
    """Return Krippendorff's alpha with the interval metric; rows may differ in length, those of one mark tell nothing.

    `1 − D_o / D_e` with D_o = (1/n) Σ_u Σ_{i≠j} (x_i − x_j)² / (m_u − 1), D_e = Σ_{i≠j} (x_i − x_j)² / (n (n − 1)) over
    all n pairable marks; Krippendorff, Computing Krippendorff's Alpha-Reliability (2011). None where nothing varies.
    """
    units = [row for row in rows if len(row) > 1]
    marks = [mark for row in units for mark in row]
    expected = Fraction(_squared_differences(marks), len(marks) * (len(marks) - 1)) if marks else Fraction(0)
    if not expected:
        return None
    inside = sum((Fraction(_squared_differences(row), len(row) - 1) for row in units), Fraction(0))
    return 1 - inside / len(marks) / expected


def _squared_differences(values: Sequence[int]) -> int:
    """Return `Σ_{i≠j} (x_i − x_j)²` over ordered pairs."""
    return 2 * (len(values) * sum(value * value for value in values) - sum(values) ** 2)


def read_icc(value: Fraction | None) -> Reading:
    """Return the word for an ICC."""
    return _read(value, _ICC_WORDS, Reading.POOR)


def read_w(value: Fraction | None) -> Reading:
    """Return the word for Kendall's W."""
    return _read(value, _W_WORDS, Reading.VERY_WEAK)


def read_alpha(value: Fraction | None) -> Reading:
    """Return the word for Krippendorff's alpha."""
    return _read(value, _ALPHA_WORDS, Reading.UNRELIABLE)


def _read(value: Fraction | None, words: Sequence[tuple[str, Reading]], below: Reading) -> Reading:
    if value is None:
        return Reading.UNDEFINED
    return next((word for limit, word in words if value >= Fraction(limit)), below)

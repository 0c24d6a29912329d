"""Exact numbers: rounding, printing, roots and logarithms."""

import decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.ranking.numbers import (
    Rounding,
    mean_and_deviation,
    natural_logarithm,
    parse_decimal,
    print_exactly,
    print_number,
    round_fraction,
    square_root,
)

DECIMAL_MODES: dict[Rounding, str] = {
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
}


@pytest.mark.parametrize(
    ("value", "half_up", "half_even"),
    [("0.125", "0.13", "0.12"), ("0.135", "0.14", "0.14"), ("-0.125", "-0.13", "-0.12"), ("2.5", "2.50", "2.50")],
)
def test_halves(value: str, half_up: str, half_even: str) -> None:
    assert print_number(Fraction(value), 2, "half_up") == half_up
    assert print_number(Fraction(value), 2, "half_even") == half_even


@given(st.decimals(-1000, 1000, places=4), st.integers(0, 4), st.sampled_from(["half_up", "half_even"]))
def test_rounding_agrees_with_exact_decimals(value: decimal.Decimal, places: int, rounding: Rounding) -> None:
    expected = value.quantize(decimal.Decimal(1).scaleb(-places), DECIMAL_MODES[rounding])
    assert round_fraction(Fraction(value), places, rounding) == Fraction(expected)


@given(st.fractions(), st.integers(0, 6))
def test_rounding_never_moves_further_than_half_a_unit_and_printing_keeps_it(value: Fraction, places: int) -> None:
    rounded = round_fraction(value, places, "half_up")
    assert abs(rounded - value) <= Fraction(1, 2 * 10**places)
    assert Fraction(print_number(rounded, places, "half_up")) == rounded


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (Fraction(2, 3), None, "0.6666666667"),
        (Fraction(5, 2), None, "2.5"),
        (Fraction(70), None, "70"),
        (Fraction(0), None, "0"),
        (Fraction(0), 2, "0.00"),
        (Fraction(-1, 10**12), None, "0"),
        (Fraction(-7, 2), 0, "-4"),
        (Fraction(7), 3, "7.000"),
    ],
)
def test_printing(value: Fraction, decimals: int | None, text: str) -> None:
    assert print_number(value, decimals, "half_up") == text


@pytest.mark.parametrize(
    "text", ["", "1e3", "+1", " 1", "1 ", ".5", "5.", "1,5", "٣", "１", "NaN", "inf", "1_0", "--1"]
)
def test_what_is_no_decimal(text: str) -> None:
    assert parse_decimal(text) is None


@given(st.decimals(-1000, 1000, places=5))
def test_marks_are_written_as_they_are_read(value: decimal.Decimal) -> None:
    text = print_exactly(Fraction(value))
    assert parse_decimal(text) == Fraction(value)
    assert "." not in text or not text.endswith("0")


def test_only_finite_decimals_are_written_exactly() -> None:
    with pytest.raises(ValueError, match="1/3 is no finite decimal"):
        print_exactly(Fraction(1, 3))


@given(st.fractions(min_value=0, max_value=10**12, max_denominator=10**12))
def test_square_root_is_the_nearest_number_of_50_digits(value: Fraction) -> None:
    root = square_root(value)
    if value == 0:
        assert root == 0
        return
    exponent = len(str(int(root))) if root >= 1 else 1 - next(k for k in range(1, 60) if root * 10**k >= 1)
    half_unit = Fraction(10) ** (exponent - 50) / 2
    assert (root - half_unit) ** 2 <= value <= (root + half_unit) ** 2
    assert (root / (2 * half_unit)).denominator == 1


@pytest.mark.parametrize(("value", "root"), [("4", "2"), ("0.25", "0.5"), ("12345678987654321", "111111111")])
def test_square_root_of_a_square_is_exact(value: str, root: str) -> None:
    assert square_root(Fraction(value)) == Fraction(root)


def test_square_root_of_numbers_of_thousands_of_digits() -> None:
    # Unrounded adjusted marks of a large panel have such denominators
    value = Fraction(7**20_000, 3**30_000)
    is_close = abs(square_root(value) ** 2 / value - 1) < Fraction(1, 10**49)
    assert is_close
    assert square_root(Fraction(10**6_000 + 1, 10**6_000)) == 1


def test_square_root_of_2_to_50_digits() -> None:
    assert square_root(Fraction(2)) == Fraction("1.4142135623730950488016887242096980785696718753769")


def test_logarithms_to_50_digits() -> None:
    assert natural_logarithm(Fraction(1)) == 0
    assert natural_logarithm(Fraction(2)) == Fraction("0.69314718055994530941723212145817656807550013436026")
    assert natural_logarithm(Fraction(1, 2)) == -natural_logarithm(Fraction(2))
    # ln 7 = 1.945910149055313305105352743443179729637084729581861…,
    # ln 3 = 1.098612288668109691395245236922525704647490557822749…
    assert natural_logarithm(Fraction(7, 3)) == Fraction("0.84729786038720361371010750652065402498959417175911")


def test_numbers_do_not_depend_on_the_context_of_the_caller() -> None:
    with decimal.localcontext(prec=3, rounding=decimal.ROUND_DOWN):
        assert natural_logarithm(Fraction(2)) == Fraction("0.69314718055994530941723212145817656807550013436026")


def test_mean_and_population_deviation() -> None:
    # 1/2 and 3/2: mean 1, deviation 1/2
    assert mean_and_deviation([Fraction(1, 2), Fraction(3, 2)]) == (Fraction(1), Fraction(1, 2))

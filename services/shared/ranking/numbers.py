"""Exact numbers: decimals in, fractions inside, printed digits out.

Only `square_root` and `natural_logarithm` leave the rationals; both are correctly rounded to 50 significant
digits and come back as fractions, so that nothing depends on the platform or on a global context.
"""

import decimal
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import isqrt, lcm
from typing import Literal

Rounding = Literal["half_up", "half_even"]

DIGITS = 50
PRINTED_DECIMALS_MAX = 10
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_CONTEXT = decimal.Context(prec=DIGITS, rounding=decimal.ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
_WIDE_CONTEXT = decimal.Context(prec=3 * DIGITS, rounding=decimal.ROUND_HALF_EVEN, Emin=-999999, Emax=999999)


def parse_decimal(text: str) -> Fraction | None:
    """Read a plain decimal such as `-87.50`; None for anything else (exponents, `+`, spaces, other digits)."""
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def round_fraction(value: Fraction, decimals: int | None, rounding: Rounding) -> Fraction:
    """Round to so many decimals (None: not at all); half_up takes an exact half away from zero."""
    if decimals is None:
        return value
    scale = 10**decimals
    return Fraction(_rounded_units(value, scale, rounding), scale)


def _rounded_units(value: Fraction, scale: int, rounding: Rounding) -> int:
    numerator, denominator = abs(value.numerator) * scale, value.denominator
    units, rest = divmod(numerator, denominator)
    is_half = 2 * rest == denominator
    if 2 * rest > denominator or (is_half and (rounding == "half_up" or units % 2 == 1)):
        units += 1
    return units if value >= 0 else -units


def print_number(value: Fraction, decimals: int | None, rounding: Rounding) -> str:
    """Print a number rounded before with exactly its decimals, an unrounded one with at most ten of them."""
    places = PRINTED_DECIMALS_MAX if decimals is None else decimals
    units = _rounded_units(value, 10**places, rounding)
    digits = str(abs(units)).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
    if decimals is None:
        part = part.rstrip("0")
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def print_exactly(value: Fraction) -> str:
    """Print a number that is a finite decimal with all its digits; ValueError for one that is none."""
    decimals = 0
    while 10**decimals % value.denominator:
        decimals += 1
        if decimals > value.denominator.bit_length():
            raise ValueError(f"{value} is no finite decimal")
    return print_number(value, decimals, "half_up")


def square_root(value: Fraction) -> Fraction:
    """Return the square root of a number ≥ 0, correctly rounded (half even) to 50 significant digits."""
    if value == 0:
        return Fraction(0)
    # A guess of the decimal exponent from the lengths in bits (in digits, Python would refuse numbers of thousands of
    # them); the loops put the root into [10^49, 10^50).
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    shift = DIGITS - bits * 30103 // 200000
    root = _scaled_root(value, shift)
    while root >= 10**DIGITS:
        shift -= 1
        root = _scaled_root(value, shift)
    while root < 10 ** (DIGITS - 1):
        shift += 1
        root = _scaled_root(value, shift)
    middle, scaled = Fraction(2 * root + 1, 2) ** 2, value * Fraction(100) ** shift
    if scaled > middle or (scaled == middle and root % 2 == 1):
        root += 1
    return root / Fraction(10) ** shift


def _scaled_root(value: Fraction, shift: int) -> int:
    scaled = value * Fraction(100) ** shift
    return isqrt(scaled.numerator // scaled.denominator)


# Rankings made thousands of times over take the logarithms of the same few thousand counts.
@lru_cache(maxsize=1 << 15)
def natural_logarithm(value: Fraction) -> Fraction:
    """Return ln of a number > 0 to 50 significant digits."""
    if value.denominator == 1:
        return Fraction(_CONTEXT.ln(decimal.Decimal(value.numerator)))
    # The quotient is no finite decimal: take it and its logarithm much wider, and round once at the end.
    quotient = _WIDE_CONTEXT.divide(decimal.Decimal(value.numerator), decimal.Decimal(value.denominator))
    return Fraction(_CONTEXT.plus(_WIDE_CONTEXT.ln(quotient)))


def common_denominator(values: Sequence[Fraction]) -> tuple[list[int], int]:
    """Return the numerators of the values over their least common denominator, and that denominator."""
    denominator = lcm(*{value.denominator for value in values})
    return [value.numerator * (denominator // value.denominator) for value in values], denominator


def mean_of(values: Sequence[Fraction]) -> Fraction:
    """Return the exact mean of at least one value."""
    units, denominator = common_denominator(values)
    return Fraction(sum(units), denominator * len(units))


def mean_and_deviation(values: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    """Return the exact mean and the population standard deviation (50 digits) of at least one value."""
    units, denominator = common_denominator(values)
    count, total = len(units), sum(units)
    spread = count * sum(unit * unit for unit in units) - total * total
    mean = Fraction(total, count * denominator)
    return mean, square_root(Fraction(spread, (count * denominator) ** 2))

"""Chance from a name: the same seed gives the same draws on every machine and in every version of Python.

SHA-256 of the seed and a counter, read as 32-bit numbers. Whole numbers only, so that no platform's arithmetic matters.
"""

import hashlib
import struct
from bisect import bisect_right
from fractions import Fraction
from math import factorial, isqrt

WORDS_PER_DIGEST = 8
WORD = 1 << 32
# Up to here a Poisson number is added up from single events; beyond it the normal curve is near enough.
COUNTED_SINGLY_MAX = 100
_UNIFORMS = 12


def _poisson_of_one() -> tuple[int, ...]:
    """Cumulative probabilities of a Poisson number of mean 1, in units of 2^-32: `Σ_{i ≤ k} e⁻¹ / i!`."""
    inverse_e = sum((Fraction((-1) ** i, factorial(i)) for i in range(30)), Fraction(0))
    sums, total = [], Fraction(0)
    for k in range(14):
        total += inverse_e / factorial(k)
        sums.append(int(total * WORD))
    return tuple(sums)


_POISSON_OF_ONE = _poisson_of_one()


class Draws:
    """An endless row of numbers that belongs to one seed."""

    def __init__(self, seed: str) -> None:
        """Start at the first number of the seed."""
        self._seed = seed.encode()
        self._counter = 0
        self._words: list[int] = []

    def word(self) -> int:
        """Return the next number of 0 to 2^32 − 1."""
        if not self._words:
            self._counter += 1
            digest = hashlib.sha256(b"%b:%d" % (self._seed, self._counter)).digest()
            self._words = list(reversed(struct.unpack(f">{WORDS_PER_DIGEST}I", digest)))
        return self._words.pop()

    def below(self, count: int) -> int:
        """Return a number of 0 to `count` − 1, each equally likely; 0 < `count` ≤ 2^32."""
        fair = WORD - WORD % count
        while (word := self.word()) >= fair:
            pass
        return word % count

    def sample(self, count: int, chosen: int) -> tuple[int, ...]:
        """Return `chosen` different numbers below `count`, every set equally likely, in order."""
        numbers = list(range(count))
        for position in range(chosen):
            other = position + self.below(count - position)
            numbers[position], numbers[other] = numbers[other], numbers[position]
        return tuple(sorted(numbers[:chosen]))

    def poisson(self, mean: int) -> int:
        """Return a Poisson number of a whole mean ≥ 0.

        A small mean is so many events of mean 1, added up; beyond 100 it is `mean + √mean · z`, z the sum of twelve
        uniform numbers less 6, which has mean 0 and variance 1 (Irwin–Hall), rounded half up.
        """
        if mean <= COUNTED_SINGLY_MAX:
            return sum(bisect_right(_POISSON_OF_ONE, self.word()) for _ in range(mean))
        centred = sum(self.word() for _ in range(_UNIFORMS)) - (_UNIFORMS // 2) * WORD
        # √mean to 16 binary digits; floor division of the doubled number plus one rounds half up.
        deviation = isqrt(mean << 32) * centred
        return max(0, mean + ((deviation >> 47) + 1 >> 1))

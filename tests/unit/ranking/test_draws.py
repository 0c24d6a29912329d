"""Named chance: the same seed gives the same numbers for ever, and they are as fair as they should be."""

import hashlib
from collections import Counter
from itertools import combinations

import pytest
from scipy.stats import chisquare, poisson  # type: ignore[import-untyped]

from services.shared.ranking.statistics.draws import Draws


def test_the_numbers_are_those_of_the_seeds_digests() -> None:
    draws = Draws("a seed")
    digests = hashlib.sha256(b"a seed:1").digest() + hashlib.sha256(b"a seed:2").digest()
    assert [draws.word() for _ in range(16)] == [int.from_bytes(digests[4 * k : 4 * k + 4]) for k in range(16)]
    assert Draws("another").word() != Draws("a seed").word()


def test_small_numbers_are_equally_likely() -> None:
    draws = Draws("fair")
    counts = Counter(draws.below(7) for _ in range(7_000))
    assert sorted(counts) == list(range(7))
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_a_word_beyond_the_last_full_round_is_thrown_away() -> None:
    draws = Draws("x")
    draws._words = [5, (1 << 32) - 1]  # taken from the end; 2^32 − 1 is beyond the last multiple of 3
    assert draws.below(3) == 5 % 3


def test_every_sample_is_equally_likely() -> None:
    draws = Draws("samples")
    counts = Counter(draws.sample(5, 2) for _ in range(5_000))
    assert set(counts) == set(combinations(range(5), 2))
    assert chisquare(list(counts.values())).pvalue > 0.001


@pytest.mark.parametrize("mean", [1, 4, 30])
def test_small_counts_follow_poisson(mean: int) -> None:
    draws = Draws(f"poisson {mean}")
    found = [draws.poisson(mean) for _ in range(3_000)]
    low, high = int(poisson.ppf(0.02, mean)), int(poisson.ppf(0.98, mean))
    clipped = Counter(min(max(each, low), high) for each in found)
    expected = [poisson.pmf(k, mean) for k in range(low, high + 1)]
    expected[0], expected[-1] = poisson.cdf(low, mean), poisson.sf(high - 1, mean)
    observed = [clipped[k] for k in range(low, high + 1)]
    assert chisquare(observed, [share * 3_000 / sum(expected) for share in expected]).pvalue > 0.001


@pytest.mark.parametrize("mean", [101, 10_000, 8_000_000])
def test_large_counts_have_the_mean_and_the_variance_of_poisson(mean: int) -> None:
    draws = Draws(f"poisson {mean}")
    found = [draws.poisson(mean) for _ in range(4_000)]
    average = sum(found) / 4_000
    variance = sum((each - average) ** 2 for each in found) / 4_000
    assert abs(average - mean) < 4 * (mean / 4_000) ** 0.5
    assert variance == pytest.approx(mean, rel=0.1)


def test_no_vote_stays_no_vote() -> None:
    assert Draws("zero").poisson(0) == 0

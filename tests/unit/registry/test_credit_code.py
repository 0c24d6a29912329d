"""The check character of unified social credit codes (GB 32100-2015)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.rounds.credit_code import ALPHABET, check_character, is_valid


def test_the_standards_own_arithmetic() -> None:
    # 91350100M000100Y4: Σ cᵢ·3^(i−1 mod 31) ≡ 28 (mod 31), so the check character is 31 − 28 = 3.
    assert check_character("91350100M000100Y4") == "3"
    assert is_valid("91350100M000100Y43")


@pytest.mark.parametrize(
    "code",
    ["91350100M000100Y44", "91350100M000100Y4", "91350100M000100Y433", "91350100m000100Y43", "I1350100M000100Y43", ""],
)
def test_what_is_no_code(code: str) -> None:
    assert not is_valid(code)


@given(st.text(ALPHABET, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_noticed(first: str, place: int, other: str) -> None:
    code = first + check_character(first)
    changed = code[:place] + other + code[place + 1 :]
    assert is_valid(code)
    assert is_valid(changed) == (changed == code)

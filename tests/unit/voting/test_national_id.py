"""A national ID in every spelling is one number; what cannot be one is told why."""

from __future__ import annotations

from datetime import date

import pytest

from services.voting.identity.national_id import BadId, NationalId, canonical_name, check_digit, parse_national_id
from tests.support.national_ids import made_up_id

TODAY = date(2026, 11, 22)
# The standard's own worked examples: 11010519491231002X and 440524188001010014.
WORKED_EXAMPLE = "11010519491231002X"


def test_the_standards_worked_example_has_its_check_digit() -> None:
    assert check_digit("11010519491231002") == "X"
    assert check_digit("44052418800101001") == "4"


@pytest.mark.parametrize(
    "spelling",
    [
        WORKED_EXAMPLE,
        "11010519491231002x",
        " 110105 19491231 002X ",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105-19491231-002x",
        "110105\u200b19491231002X",
        "１１０１０５　１９４９１２３１　００２ｘ",
    ],
)
def test_every_spelling_of_an_id_is_one_person(spelling: str) -> None:
    assert parse_national_id(spelling, TODAY) == NationalId(WORKED_EXAMPLE, date(1949, 12, 31))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("110105491231002", BadId.FIFTEEN_DIGITS),
        ("１１０１０５４９１２３１００２", BadId.FIFTEEN_DIGITS),
        ("", BadId.FORM),
        ("1101051949123100X2", BadId.FORM),
        ("11010519491231002", BadId.FORM),
        ("X" * 10_000, BadId.FORM),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", BadId.FORM),
        ("110105194912310021", BadId.CHECK_DIGIT),
        ("110105194912310020", BadId.CHECK_DIGIT),
        (made_up_id("19700230"), BadId.BIRTH_DATE),
        (made_up_id("19990229"), BadId.BIRTH_DATE),
        (made_up_id("19701301"), BadId.BIRTH_DATE),
        (made_up_id("20261123"), BadId.BIRTH_DATE),
        (made_up_id("19051122"), BadId.BIRTH_DATE),
    ],
)
def test_what_is_no_id_is_told_why(text: str, why: BadId) -> None:
    assert parse_national_id(text, TODAY) is why


@pytest.mark.parametrize("born", ["20261122", "19051123", "20000229", "19060101"])
def test_dates_at_the_edges_are_possible(born: str) -> None:
    assert isinstance(parse_national_id(made_up_id(born), TODAY), NationalId)


def test_every_single_wrong_digit_and_most_swaps_are_noticed() -> None:
    """MOD 11-2 finds every single error: each digit is tried at each place."""
    right = made_up_id("19700301", 7)
    for place in range(17):
        for digit in "0123456789":
            if digit != right[place]:
                wrong = right[:place] + digit + right[place + 1 :]
                assert not isinstance(parse_national_id(wrong, TODAY), NationalId), wrong


def test_a_birthplace_is_never_looked_up() -> None:
    assert isinstance(parse_national_id(made_up_id(), TODAY), NationalId)


@pytest.mark.parametrize(("born", "years"), [("20101122", 16), ("20101123", 15), ("20080229", 18)])
def test_an_age_counts_birthdays(born: str, years: int) -> None:
    found = parse_national_id(made_up_id(born), TODAY)
    assert isinstance(found, NationalId)
    assert found.age_years(TODAY) == years


def test_names_are_compared_without_their_spelling() -> None:
    assert canonical_name(" 阿依古丽・买买提 ") == canonical_name("阿依古丽·买买提") == "阿依古丽·买买提"
    assert canonical_name("王　䶮") == "王䶮"

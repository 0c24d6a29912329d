"""Version codes, amounts in capitals, and the characters that can be printed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.registry.documents.wording import capital_amount, named
from services.shared.typesetting.characters import clean, printable, unprintable
from services.shared.typesetting.version_code import ALPHABET, code_svg, same_code, version_code
from services.shared.vocabulary import LEVELS


def test_a_version_code_is_the_start_of_the_sha256() -> None:
    """SHA-256 of `abc` begins ba7816bf 8f01cfea (FIPS 180-4, example), in groups of five bits."""
    bits = f"{0xBA7816BF8F01CFEA:064b}"[:60]
    expected = "".join(ALPHABET[int(bits[start : start + 5], 2)] for start in range(0, 60, 5))
    assert version_code(b"abc") == f"{expected[:4]}-{expected[4:8]}-{expected[8:]}" == "Q9W1-DFWF-077Y"


def test_a_code_typed_from_paper_is_recognised() -> None:
    assert same_code("q9wi dfwf-o77y", "Q9W1-DFWF-077Y")
    assert not same_code("Q9W1-DFWF-077Z", "Q9W1-DFWF-077Y")


def test_a_qr_code_is_a_picture_without_anything_else() -> None:
    picture = code_svg("Q9W1-DFWF-077Y")
    assert picture.startswith("<svg")
    assert "script" not in picture
    assert "href" not in picture


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角整"),
        ("1.05", "壹元零伍分"),
        ("10", "壹拾元整"),
        ("257400.00", "贰拾伍万柒仟肆佰元整"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("107000.53", "壹拾万零柒仟元伍角叁分"),
        ("100001000", "壹亿零壹仟元整"),
        ("10000001", "壹仟万零壹元整"),
        ("999999999999.99", "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_amounts_in_capitals(amount: str, written: str) -> None:
    assert capital_amount(Decimal(amount)) == f"人民币{written}"


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000"])
def test_an_amount_that_has_no_capitals(amount: str) -> None:
    with pytest.raises(ValueError, match="below 1000000000000 yuan"):
        capital_amount(Decimal(amount))


def test_a_word_is_found_by_its_name() -> None:
    assert [named(LEVELS, name) for name in ("重大项目", "major", "特大项目")] == ["major", "major", None]


def test_rare_characters_of_names_can_be_printed() -> None:
    assert unprintable("段䶮㛃𠮷𬎆·欧〇ěé①—“”《》〔〕½㎡\n第二行") == []


def test_what_cannot_be_printed_is_told_once() -> None:
    assert unprintable("甲😀乙😀丙\U0002fffd") == ["😀", "\U0002fffd"]
    assert printable("甲😀乙") == "甲〔U+1F600〕乙"
    assert printable("葛\U000e0100城") == "葛城"


def test_invisible_characters_are_taken_out() -> None:
    assert clean("甲\u202e\u0000\ud800乙\tb\r\n丙\u200b") == "甲乙 b\n丙"

"""Phone numbers in one canonical spelling, or one person would be two.

Mainland mobiles by their own shape, since number ranges newer than the library's tables exist; other regions, where
the operator allows them, by the library's tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import phonenumbers
from phonenumbers import PhoneNumberType

MAINLAND = "CN"
_SEPARATORS = re.compile(r"[\s\-‐‑‒–—·.()/]+")
ZERO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def canonical_phone(text: str, regions: Collection[str] = (MAINLAND,)) -> str | None:
    """E.164 form of a mobile number of one of `regions` (ISO 3166) in any spelling, or None.

    NFKC turns full-width digits into plain ones; spaces, dashes, +86, 0086 and 86 do not make another person. A number
    without a country's code is a mainland one.
    """
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text).translate(ZERO_WIDTH))
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    elif plain.startswith("86") and len(plain) == 13:
        plain = "+" + plain
    if not re.fullmatch(r"\+?[0-9]{5,15}", plain, re.ASCII):
        return None
    try:
        number = phonenumbers.parse(plain, MAINLAND)
    except phonenumbers.NumberParseException:
        return None
    if not _allowed(number, regions):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _allowed(number: phonenumbers.PhoneNumber, regions: Collection[str]) -> bool:
    if number.country_code == 86:
        # Number ranges newer than the library's tables exist: a mainland mobile is 11 digits that begin with 1[3-9].
        return MAINLAND in regions and bool(re.fullmatch(r"1[3-9][0-9]{9}", str(number.national_number)))
    region = phonenumbers.region_code_for_number(number)
    return region in regions and phonenumbers.number_type(number) in _MOBILE


def parse_regions(text: str) -> frozenset[str] | None:
    """The regions of a setting such as `CN,HK,MO`, or None where one of them is no region."""
    regions = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    return regions if regions and regions <= phonenumbers.SUPPORTED_REGIONS else None

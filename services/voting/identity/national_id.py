"""National ID numbers of the mainland (GB 11643): one canonical spelling, a check digit, a birth date that can be.

Pure. Birthplace tables are never asked: places are merged and renamed, people are not. A well-formed number proves
nothing; `verification.py` asks somebody who knows.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import Enum

import msgspec

from services.voting.identity.phones import ZERO_WIDTH

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_AGE_MAX_YEARS = 120


class NationalId(msgspec.Struct, frozen=True):
    """A plausible number in its canonical spelling: 17 digits and a digit or X."""

    number: str
    born: date

    def age_years(self, today: date) -> int:
        return today.year - self.born.year - ((today.month, today.day) < (self.born.month, self.born.day))


class BadId(Enum):
    """Why a number is refused, as told to the person."""

    FIFTEEN_DIGITS = "ID numbers of 15 digits are no longer valid; enter the 18 digits of the present card."
    FORM = "An ID number has 17 digits and then a digit or X; look at the card and enter it again."
    BIRTH_DATE = "Digits 7 to 14 are not a possible date of birth; look at the card and enter the number again."
    CHECK_DIGIT = "The last digit does not fit the others; look at the card and enter the number again."


def canonical_id(text: str) -> str:
    """The number without spaces, in plain digits, with a capital X; not checked."""
    plain = unicodedata.normalize("NFKC", text[:64]).translate(ZERO_WIDTH)
    return re.sub(r"[\s\-·.]+", "", plain).upper()


def check_digit(seventeen: str) -> str:
    """ISO 7064 MOD 11-2 over the first 17 digits, as GB 11643 weighs them."""
    return _CHECK_DIGITS[sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True)) % 11]


def parse_national_id(text: str, today: date) -> NationalId | BadId:
    """The person's number, or why it is none; `today` in the round's zone."""
    number = canonical_id(text)
    if re.fullmatch(r"[0-9]{15}", number, re.ASCII):
        return BadId.FIFTEEN_DIGITS
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number, re.ASCII):
        return BadId.FORM
    if number[-1] != check_digit(number[:17]):
        return BadId.CHECK_DIGIT
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return BadId.BIRTH_DATE
    found = NationalId(number, born)
    return found if born <= today and found.age_years(today) <= _AGE_MAX_YEARS else BadId.BIRTH_DATE


def canonical_name(text: str) -> str:
    """A name as providers compare it: NFKC, no spaces, every middle dot the same; rare characters stay as they are."""
    plain = unicodedata.normalize("NFKC", text).translate(ZERO_WIDTH)
    return re.sub(r"[.·•‧・･﹒]", "·", re.sub(r"\s+", "", plain))

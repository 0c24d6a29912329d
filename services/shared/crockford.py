"""Codes for people: random bytes in Crockford's base 32.

Letters that are easily misread are accepted for what they look like; dashes, spaces and case do not matter.
"""

from __future__ import annotations

import unicodedata

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two letters at a time: a receipt is written for every ballot.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_READ = {letter: value for value, letter in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}


def written(raw: bytes) -> str:
    """Letters and digits, 8 for every 5 bytes; the number is filled up with zeros at the left."""
    number, count = int.from_bytes(raw, "big"), letters(len(raw))
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in range(10 * ((count - 1) // 2), -1, -10)]
    return "".join(pairs)[-count:]


def read(text: str, size: int) -> bytes | None:
    """The `size` bytes that were written, or None when it cannot be such a code."""
    plain = unicodedata.normalize("NFKC", text).upper().replace("-", "").replace(" ", "")
    if len(plain) != letters(size) or any(letter not in _READ for letter in plain):
        return None
    number = 0
    for letter in plain:
        number = number << 5 | _READ[letter]
    return number.to_bytes(size, "big") if number < 1 << (size * 8) else None


def letters(size: int) -> int:
    """How many letters `size` bytes take."""
    return (size * 8 + 4) // 5

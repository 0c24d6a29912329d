"""Receipts: random codes of 88 bits that carry their shard, written in Crockford's base 32.

Letters that are easily misread are accepted for what they look like; dashes, spaces and case do not matter.
"""

from __future__ import annotations

import unicodedata

from services.voting.ledger import RECEIPT_BYTES

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = (RECEIPT_BYTES * 8 + 4) // 5
_READ = {letter: value for value, letter in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}


def receipt_text(raw: bytes) -> str:
    """20 letters and digits."""
    number = int.from_bytes(raw, "big")
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(_LENGTH)))


def parse_receipt(text: str) -> bytes | None:
    """The receipt's bytes, or None when it cannot be one."""
    plain = unicodedata.normalize("NFKC", text).upper().replace("-", "").replace(" ", "")
    if len(plain) != _LENGTH or any(letter not in _READ for letter in plain):
        return None
    number = 0
    for letter in plain:
        number = number << 5 | _READ[letter]
    return number.to_bytes(RECEIPT_BYTES + 1, "big")[1:] if number < 1 << (RECEIPT_BYTES * 8) else None

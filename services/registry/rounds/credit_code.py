"""Unified social credit codes (统一社会信用代码): the check character of GB 32100-2015."""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH = 18


def check_character(first_seventeen: str) -> str:
    """The 18th character: (31 − Σ value·3^position mod 31) mod 31, positions from 0 (GB 32100-2015, 5.3)."""
    total = sum(ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(first_seventeen))
    return ALPHABET[(31 - total % 31) % 31]


def is_valid(code: str) -> bool:
    """Whether the text is 18 characters of the code's alphabet with the right check character."""
    if len(code) != LENGTH or any(character not in ALPHABET for character in code):
        return False
    return check_character(code[:-1]) == code[-1]

"""Which characters the shipped fonts can print, and what stands for those they cannot.

A printed form with a hollow box where a name should be is worse than one with 〔U+2A6A5〕, which can be looked up and
written by hand beside it; pages ask `unprintable` beforehand and say so. Called by `pdf.py` and by the writers of
workbooks and letters.
"""

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from services.shared.typesetting.fonts import font_files

Ranges = list[tuple[int, int]]
_DROPPED = frozenset({"Cc", "Cf", "Cs"})
_WIDEST_FORMAT = 12


def clean(text: str) -> str:
    """The text without control, direction and half-surrogate characters; line breaks stay, a tab becomes a blank."""
    lined = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(each for each in lined if each == "\n" or unicodedata.category(each) not in _DROPPED)


def unprintable(text: str) -> list[str]:
    """Characters of a text that no shipped font has, each once, in their order."""
    return list(dict.fromkeys(each for each in clean(text) if not _is_covered(each)))


def printable(text: str) -> str:
    """The text as it is printed: cleaned, and 〔U+…〕 for each character that no shipped font has."""
    cleaned = clean(text)
    return "".join(each if _is_covered(each) else _stand_in(each) for each in cleaned)


def _stand_in(character: str) -> str:
    # A variation selector only chooses a shape; its character itself is there.
    return "" if "VARIATION SELECTOR" in unicodedata.name(character, "") else f"〔U+{ord(character):04X}〕"


def _is_covered(character: str) -> bool:
    if character == "\n":
        return True
    code, ranges = ord(character), _ranges()
    place = bisect_right(ranges, (code, 0x110000)) - 1
    return place >= 0 and code <= ranges[place][1]


@cache
def _ranges() -> Ranges:
    """Code points that one of the fonts has, as ordered ranges that do not touch."""
    merged: Ranges = []
    for start, end in sorted(span for file in font_files() for span in _covered_by(file)):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _covered_by(file: Path) -> Iterable[tuple[int, int]]:
    """The ranges in the first font of a file, from its `cmap` of format 12 (OpenType 1.9, "cmap", 5.2.7)."""
    data = file.read_bytes()
    font = struct.unpack_from(">L", data, 12)[0] if data[:4] == b"ttcf" else 0
    (tables,) = struct.unpack_from(">H", data, font + 4)
    for place in range(tables):
        tag, _, start, _ = struct.unpack_from(">4sLLL", data, font + 12 + 16 * place)
        if tag == b"cmap":
            return _ranges_of_cmap(data, start)
    raise ValueError(f"the font {file.name} has no cmap table; install the locked version of its package again")


def _ranges_of_cmap(data: bytes, start: int) -> Iterable[tuple[int, int]]:
    (subtables,) = struct.unpack_from(">H", data, start + 2)
    for place in range(subtables):
        (offset,) = struct.unpack_from(">L", data, start + 4 + 8 * place + 4)
        kind, _, _, _, groups = struct.unpack_from(">HHLLL", data, start + offset)
        if kind == _WIDEST_FORMAT:
            spans = struct.iter_unpack(">LLL", data[start + offset + 16 : start + offset + 16 + 12 * groups])
            return [(first, last) for first, last, _ in spans]
    return []

"""The short code (版本码) that every printed page carries, so that a stamped scan can be matched to what was submitted.

Twelve characters of Crockford's base 32 are 60 bits: enough to tell versions apart, not a secret. Called by whoever
stores content that is printed.
"""

import hashlib
from io import BytesIO

import segno

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 12
_GROUP = 4
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def version_code(content: bytes) -> str:
    """The code of a content as stored, like `7K3M-9QXZ-2ABC`: the first 60 bits of its SHA-256."""
    bits = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 4
    plain = "".join(ALPHABET[bits >> shift & 31] for shift in range((LENGTH - 1) * 5, -1, -5))
    return "-".join(plain[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def same_code(typed: str, code: str) -> bool:
    """Whether a code typed from paper is this one; dashes, blanks, case, O for 0 and I or L for 1 are forgiven."""
    return typed.upper().translate(_MISREAD) == code.upper().translate(_MISREAD)


def code_svg(payload: str) -> str:
    """A QR code as an SVG text, correction level Q: a stamp may cover a quarter of it."""
    return segno.make_qr(payload, error="Q").svg_inline(border=2, scale=1, omitsize=True, light="#fff")


def code_png(payload: str) -> bytes:
    """A QR code as a PNG of six pixels a module."""
    buffer = BytesIO()
    segno.make_qr(payload, error="Q").save(buffer, kind="png", border=2, scale=6)
    return buffer.getvalue()

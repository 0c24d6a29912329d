"""The structure of PNG, JPEG and WebP files: are they whole, and how large is the picture. Standard library only.

Nothing is decoded: a picture of a few kilobytes may unfold to gigabytes, so its declared size is bounded first.
Called by `contents.py` on files that begin like a picture.
"""

import struct
import zlib
from typing import BinaryIO

SIDE_MAX = 16_384
PIXELS_MAX = 100_000_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
JPEG_HEAD = b"\xff\xd8\xff"
_CHUNK_BYTES = 1 << 16
# Start-of-frame markers, which carry the size; the four others of that range are tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def png_problem(file: BinaryIO) -> str:
    """What is wrong with a PNG file, or an empty text. Chunks and checksums as in the PNG specification, 5.3."""
    file.seek(len(PNG_HEAD))
    first, has_data = True, False
    while True:
        head = file.read(8)
        if len(head) < 8:
            return "a PNG picture that ends too early"
        length, kind = struct.unpack(">I4s", head)
        checksum, start = zlib.crc32(kind), b""
        while length > 0:
            part = file.read(min(length, _CHUNK_BYTES))
            if not part:
                return "a PNG picture that ends too early"
            start = start or part
            checksum, length = zlib.crc32(part, checksum), length - len(part)
        if file.read(4) != struct.pack(">I", checksum):
            return "a damaged PNG picture"
        if first:
            if kind != b"IHDR" or len(start) < 8:
                return "a damaged PNG picture"
            if problem := _size_problem(*struct.unpack(">II", start[:8])):
                return problem
            first = False
        has_data = has_data or kind == b"IDAT"
        if kind == b"IEND":
            return "" if has_data else "a PNG picture without content"


def jpeg_problem(file: BinaryIO) -> str:
    """What is wrong with a JPEG file, or an empty text: segments up to the first scan, and its end (T.81, B.1)."""
    if not _ends_with(file, b"\xff\xd9"):
        return "a JPEG picture that ends too early"
    file.seek(2)
    sized = False
    while True:
        if file.read(1) != b"\xff":
            return "a damaged JPEG picture"
        marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        length = file.read(2)
        if not marker or len(length) < 2 or (size := struct.unpack(">H", length)[0]) < 2:
            return "a damaged JPEG picture"
        if marker[0] == 0xDA:
            return "" if sized else "a JPEG picture without a size"
        segment = file.read(size - 2)
        if marker[0] in _JPEG_FRAMES and len(segment) >= 5:
            height, width = struct.unpack(">HH", segment[1:5])
            if problem := _size_problem(width, height):
                return problem
            sized = True


def webp_problem(file: BinaryIO) -> str:
    """What is wrong with a WebP file, or an empty text (RFC 9649, 2.4 to 2.7)."""
    file.seek(0, 2)
    whole = file.tell()
    file.seek(0)
    head = file.read(30)
    if len(head) < 30 or struct.unpack("<I", head[4:8])[0] + 8 > whole:
        return "a WebP picture that ends too early"
    kind = head[12:16]
    if kind == b"VP8X":
        return _size_problem(int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return _size_problem((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return _size_problem(width & 0x3FFF, height & 0x3FFF)
    return "a damaged WebP picture"


def _size_problem(width: int, height: int) -> str:
    if width < 1 or height < 1:
        return "a picture without a size"
    if width > SIDE_MAX or height > SIDE_MAX or width * height > PIXELS_MAX:
        return (
            f"a picture of {width} × {height} pixels, more than {SIDE_MAX} a side or {PIXELS_MAX // 1_000_000} million"
        )
    return ""


def _ends_with(file: BinaryIO, end: bytes) -> bool:
    """Cameras pad their files: the end may be followed by a few zero bytes."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - 4096))
    return end in file.read().rstrip(b"\0")[-64:]

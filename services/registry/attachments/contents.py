"""What a file is, told by its content and never by its name: PDF, pictures, Office files without macros.

Pure but for reading the file it is given; runs in a thread. Everything else is `WrongType`, named where it can be.
Called by `receiving.py` on the file while it is still temporary.
"""

import zipfile
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, assert_never

import puremagic

from services.registry.attachments import pictures

HEAD_BYTES = 4096
PDF_TAIL_BYTES = 2048
ZIP_ENTRIES_MAX = 5_000
ZIP_UNPACKED_MAX = 200 << 20
ZIP_RATIO_MAX = 200
ALLOWED = "a PDF, a PNG, JPEG or WebP picture, or a Word, Excel or PowerPoint file (docx, xlsx, pptx) without macros"
_READ_BYTES = 1 << 18
# What people send by mistake most often, in words that help; other signatures are ambiguous and left to puremagic.
_FREQUENT = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office file; save it as docx, xlsx or pptx",
    b"MZ": "a Windows program",
    b"\x7fELF": "a program",
    b"#!": "a script",
    b"GIF8": "a GIF picture",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
}
_SURE = 0.8


class FileType(Enum):
    """What may be handed in: (media type, usual ending)."""

    PDF = "application/pdf", ".pdf"
    PNG = "image/png", ".png"
    JPEG = "image/jpeg", ".jpg"
    WEBP = "image/webp", ".webp"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx"

    @property
    def media_type(self) -> str:
        return self.value[0]

    @property
    def ending(self) -> str:
        return self.value[1]


PICTURES = frozenset({FileType.PNG, FileType.JPEG, FileType.WEBP})
_MAIN_PARTS = {
    "word/document.xml": FileType.DOCX,
    "xl/workbook.xml": FileType.XLSX,
    "ppt/presentation.xml": FileType.PPTX,
}


@dataclass(frozen=True, slots=True)
class WrongType:
    """Not one of the allowed types; `what` it is, as the end of the sentence "the file is …"."""

    what: str


def examine(file: BinaryIO) -> FileType | WrongType:
    """What the file is by its content; the position in it is lost."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    kind = _begins_like(head)
    if kind is None:
        return WrongType(_named(head))
    if isinstance(kind, str):
        return _office_type(file)
    problem = _problem(kind, file)
    return WrongType(problem) if problem else kind


def _begins_like(head: bytes) -> FileType | str | None:
    if b"%PDF-" in head[:1024]:
        return FileType.PDF
    if head.startswith(pictures.PNG_HEAD):
        return FileType.PNG
    if head.startswith(pictures.JPEG_HEAD):
        return FileType.JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileType.WEBP
    return "zip" if head.startswith(b"PK\x03\x04") else None


def _problem(kind: FileType, file: BinaryIO) -> str:
    match kind:
        case FileType.PDF:
            return _pdf_problem(file)
        case FileType.PNG:
            return pictures.png_problem(file)
        case FileType.JPEG:
            return pictures.jpeg_problem(file)
        case FileType.WEBP:
            return pictures.webp_problem(file)
        case FileType.DOCX | FileType.XLSX | FileType.PPTX:
            return ""
        case _:
            assert_never(kind)


def _pdf_problem(file: BinaryIO) -> str:
    """Readers allow some bytes before the header; a web page or program that merely quotes it there is no PDF."""
    file.seek(0)
    before = file.read(1024).partition(b"%PDF-")[0]
    if before.strip(b"\xef\xbb\xbf\0 \r\n\t"):
        return "something else with a PDF header inside"
    file.seek(0, 2)
    file.seek(max(0, file.tell() - PDF_TAIL_BYTES))
    tail = file.read()
    return "" if b"%%EOF" in tail and b"startxref" in tail else "a PDF that ends too early"


def _office_type(file: BinaryIO) -> FileType | WrongType:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            problem = _zip_problem(entries)
            if problem:
                return WrongType(problem)
            names = {entry.filename for entry in entries}
            found = [kind for part, kind in _MAIN_PARTS.items() if part in names]
            if "[Content_Types].xml" not in names or len(found) != 1:
                return WrongType("a ZIP archive")
            if _has_macros(archive, names):
                return WrongType("an Office file with macros")
            return WrongType(problem) if (problem := _unpacking_problem(archive, entries)) else found[0]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError, ValueError):
        return WrongType("a damaged ZIP archive or Office file")


def _zip_problem(entries: list[zipfile.ZipInfo]) -> str:
    if len(entries) > ZIP_ENTRIES_MAX:
        return f"an archive of {len(entries)} files"
    if any(entry.flag_bits & 1 for entry in entries):
        return "an encrypted archive"
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if unpacked > ZIP_UNPACKED_MAX or (unpacked > 10 << 20 and unpacked > packed * ZIP_RATIO_MAX):
        return "an archive that unfolds to more than an Office file would"
    return ""


def _has_macros(archive: zipfile.ZipFile, names: set[str]) -> bool:
    """A macro project is a part of its own; a renamed one still has its content type declared."""
    if any(name.lower().rpartition("/")[2].startswith("vba") for name in names):
        return True
    with archive.open("[Content_Types].xml") as types:
        declared = types.read(1 << 20).lower()
    return b"macroenabled" in declared or b"vbaproject" in declared


def _unpacking_problem(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str:
    """Unpack everything once, bounded: declared sizes may lie, and a wrong checksum is a damaged file."""
    left = ZIP_UNPACKED_MAX
    for entry in entries:
        with archive.open(entry) as part:
            while block := part.read(_READ_BYTES):
                left -= len(block)
                if left < 0:
                    return "an archive that unfolds to more than an Office file would"
    return ""


def _named(head: bytes) -> str:
    """The best name for a file that is not allowed."""
    if not head.strip():
        return "empty"
    for signature, name in _FREQUENT.items():
        if head.startswith(signature):
            return name
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        found = []
    best = max(found, key=lambda each: (each.confidence, len(each.byte_match)), default=None)
    if best is not None and best.name and best.confidence >= _SURE:
        return f"“{best.name[:80]}”"
    return "of an unknown type" if b"\0" in head else "a text"

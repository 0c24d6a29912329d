"""CSV as the bundle uses it: RFC 4180, UTF-8; strict about form, tolerant of BOM, CRLF and row order.

Reading is a stream of rows with the line each begins on, in constant memory; writing is a pure function whose
bytes do not depend on the Python version.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, BinaryIO, Final, NamedTuple

from services.shared.ranking.errors import InputError, shown

LINE_BYTES_MAX: Final = 262_144
IDENTIFIER_LENGTH_MAX: Final = 64
TEXT_LENGTH_MAX: Final = 2_000
BLOCK_BYTES: Final = 262_144
# At most four bytes a character: such a line is within LINE_BYTES_MAX, and its fields within what the reader takes.
_PLAIN_LINE_LENGTH_MAX: Final = LINE_BYTES_MAX // 4
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Block(NamedTuple):
    """Rows that stand one a line, the first on `line`: all their fields, one after the other, `width` a row."""

    line: int
    width: int
    fields: list[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, fields) of each row."""
        width = self.width
        for number, start in enumerate(range(0, len(self.fields), width), self.line):
            yield number, self.fields[start : start + width]

    def columns(self) -> list[list[str]]:
        """Return the fields of each column."""
        return [self.fields[place :: self.width] for place in range(self.width)]


def read_rows(stream: BinaryIO, file: str, *headers: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of each row below the header, which must be one of `headers`.

    Rows have as many fields as the longest of `headers`: columns the file left out are "". Empty lines are
    skipped. Raises InputError for anything that is not such a CSV.
    """
    width_max = max(len(header) for header in headers)
    for block in read_blocks(stream, file, *headers):
        missing = [""] * (width_max - block.width)
        for line, row in block.rows():
            yield line, row + missing if missing else row


def read_blocks(stream: BinaryIO, file: str, *headers: Sequence[str]) -> Iterator[Block]:
    """Yield the rows in blocks as wide as the file's own header, for files of millions.

    Text without quotes and empty lines, which is what we write, is split in large pieces; from the first piece on that
    is not so plain, a CSV reader goes on row by row and says what is wrong where.
    """
    head = stream.readline(LINE_BYTES_MAX + 1)
    plain = head.removeprefix(_BOM).rstrip(b"\r\n")
    header = next((known for known in headers if ",".join(known).encode() == plain), None)
    if header is None:
        reader = csv.reader(_text_lines(_Joined(head, stream), file, 0), strict=True)
        yield from _csv_rows(reader, file, _read_header(reader, file, headers), 0)
        return
    width, line = len(header), 2
    while piece := _whole_lines(stream):
        fields = _plain_fields(piece, width)
        if fields is None:
            reader = csv.reader(_text_lines(_Joined(piece, stream), file, line - 1), strict=True)
            yield from _csv_rows(reader, file, width, line - 1)
            return
        yield Block(line, width, fields)
        line += len(fields) // width


def _csv_rows(reader: Any, file: str, width: int, before: int) -> Iterator[Block]:
    """Go on with a CSV reader; `before` are the lines that were read without it."""
    line = before + reader.line_num + 1
    try:
        for row in reader:
            if len(row) == width:
                yield Block(line, width, row)
            elif row:
                raise InputError(file, line, f"has {len(row)} fields instead of {width}; quote fields with commas")
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise InputError(file, line, f"is not valid CSV ({error}); quote as RFC 4180 says") from None


def _whole_lines(stream: BinaryIO) -> bytes:
    """Read the next piece up to the end of a line, or to as much of an endless one as shows that it is too long."""
    piece = stream.read(BLOCK_BYTES)
    return piece if piece.endswith(b"\n") or not piece else piece + stream.readline(LINE_BYTES_MAX + 1)


def _plain_fields(piece: bytes, width: int) -> list[str] | None:
    """Split a piece into the fields of its rows; None where only a CSV reader knows what it means."""
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n")
    if b'"' in piece or b"\r" in piece:
        return None
    try:
        lines = piece.removesuffix(b"\n").decode().split("\n")
    except UnicodeDecodeError:
        return None
    if not all(lines) or max(map(len, lines)) > _PLAIN_LINE_LENGTH_MAX:
        return None
    if set(map(str.count, lines, repeat(","))) != {width - 1}:
        return None
    return ",".join(lines).split(",")


class _Joined:
    """A piece that was read already, and the rest of its stream, line by line."""

    def __init__(self, piece: bytes, stream: BinaryIO) -> None:
        self._piece, self._stream = io.BytesIO(piece), stream

    def readline(self, limit: int) -> bytes:
        line = self._piece.readline(limit)
        if line.endswith(b"\n") or len(line) == limit:
            return line
        return line + self._stream.readline(limit - len(line))


def _read_header(reader: Iterator[list[str]], file: str, headers: Sequence[Sequence[str]]) -> int:
    expected = " or ".join(",".join(header) for header in headers)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise InputError(file, 1, f"is not valid CSV ({error}); the first line must be {expected}") from None
    if header is None:
        raise InputError(file, 1, f"is empty; the first line must be {expected}")
    if header not in [list(known) for known in headers]:
        raise InputError(file, 1, f"the first line is {shown(','.join(header))}; it must be {expected}")
    return len(header)


def _text_lines(stream: _Joined, file: str, before: int) -> Iterator[str]:
    """Decode line by line, so that an error knows its line and no line fills the memory."""
    number = before
    while raw := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(raw) > LINE_BYTES_MAX:
            raise InputError(file, number, f"is longer than {LINE_BYTES_MAX} bytes; this is no row of ours")
        try:
            yield (raw.removeprefix(_BOM) if number == 1 else raw).decode()
        except UnicodeDecodeError:
            raise InputError(file, number, "is not UTF-8; save the file as UTF-8") from None


def write_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file: the header, then the rows as given; LF, quotes only where RFC 4180 needs them."""
    buffer = io.StringIO()
    for row in (header, *rows):
        buffer.write(",".join(_quoted(field) for field in row))
        buffer.write("\n")
    return buffer.getvalue().encode()


def _quoted(field: str) -> str:
    if any(special in field for special in ',"\r\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


def check_identifier(value: str, column: str, file: str, line: int) -> str:
    """Return a candidate's identifier: 1 to 64 visible characters without spaces and commas."""
    if not value:
        raise InputError(file, line, f"{column} is empty; give an identifier")
    if not is_identifier(value):
        raise InputError(
            file,
            line,
            f"{column} {shown(value)} must be 1 to 64 characters without spaces, commas and controls",
        )
    return value


def is_identifier(value: str) -> bool:
    """Tell whether a text can name a candidate: ballots separate choices by a space."""
    return (
        0 < len(value) <= IDENTIFIER_LENGTH_MAX
        and value.isprintable()
        and not any(character.isspace() or character in ',;"' for character in value)
    )


def is_label(value: str) -> bool:
    """Tell whether a text names something: 1 to 64 characters without controls."""
    return 0 < len(value) <= IDENTIFIER_LENGTH_MAX and not has_controls(value)


def has_controls(value: str) -> bool:
    return _CONTROL.search(value) is not None


def check_label(value: str, column: str, file: str, line: int, *, may_be_empty: bool = True) -> str:
    """Return a short text on one line (stratum, level, expert …), at most 64 characters."""
    if not value and not may_be_empty:
        raise InputError(file, line, f"{column} is empty; fill it in")
    if len(value) > IDENTIFIER_LENGTH_MAX or has_controls(value):
        raise InputError(file, line, f"{column} {shown(value)} must be at most 64 characters without controls")
    return value


def check_text(value: str, column: str, file: str, line: int) -> str:
    """Return a free text of at most 2,000 characters; line breaks and tabs are its author's business."""
    if len(value) > TEXT_LENGTH_MAX or _CONTROL_IN_TEXT.search(value):
        raise InputError(file, line, f"{column} must be at most {TEXT_LENGTH_MAX} characters without controls")
    return value


def check_whole_number(value: str, column: str, file: str, line: int) -> int:
    """Return a count ≥ 0 written in at most 18 plain digits."""
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise InputError(file, line, f"{column} {shown(value)} must be a whole number of 0 or more")
    return int(value)

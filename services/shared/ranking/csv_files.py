"""CSV as the bundle uses it: RFC 4180, UTF-8; strict about form, tolerant of BOM, CRLF and row order.

Reading is a stream of rows with the line each begins on, in constant memory; writing is a pure function whose
bytes do not depend on the Python version.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Final

from services.shared.ranking.errors import InputError, shown

LINE_BYTES_MAX: Final = 262_144
IDENTIFIER_LENGTH_MAX: Final = 64
TEXT_LENGTH_MAX: Final = 2_000
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read_rows(stream: BinaryIO, file: str, *headers: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of each row below the header, which must be one of `headers`.

    Rows have as many fields as the longest of `headers`: columns the file left out are "". Empty lines are
    skipped. Raises InputError for anything that is not such a CSV.
    """
    reader = csv.reader(_text_lines(stream, file), strict=True)
    width_max = max(len(header) for header in headers)
    width = _read_header(reader, file, headers)
    missing = [""] * (width_max - width)
    line = reader.line_num + 1
    try:
        for row in reader:
            if len(row) == width:
                yield line, row + missing if missing else row
            elif row:
                raise InputError(file, line, f"has {len(row)} fields instead of {width}; quote fields with commas")
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(file, line, f"is not valid CSV ({error}); quote as RFC 4180 says") from None


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


def _text_lines(stream: BinaryIO, file: str) -> Iterator[str]:
    """Decode line by line, so that an error knows its line and no line fills the memory."""
    number = 0
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


def check_label(value: str, column: str, file: str, line: int, *, may_be_empty: bool = True) -> str:
    """Return a short text on one line (stratum, level, expert …), at most 64 characters."""
    if not value and not may_be_empty:
        raise InputError(file, line, f"{column} is empty; fill it in")
    if len(value) > IDENTIFIER_LENGTH_MAX or _CONTROL.search(value):
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

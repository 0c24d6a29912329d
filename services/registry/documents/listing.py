"""A list of the office as CSV or as a workbook: what is on the page, for those who go on working with it elsewhere.

Texts are text cells, never formulas: names of projects come from outside. The same rows give the same bytes.
"""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import xlsxwriter

from services.shared.typesetting.characters import clean

Cell = str | int | Decimal | date | None
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDTH_MIN, _WIDTH_MAX = 8, 60


class Listing(msgspec.Struct, frozen=True):
    """A title, headings, and rows of as many cells."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def listing_csv(listing: Listing) -> bytes:
    """UTF-8 with the mark that spreadsheets look for; a text that would be a formula gets an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(listing.headings)
    writer.writerows([_plain(cell) for cell in row] for row in listing.rows)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def _plain(cell: Cell) -> str:
    text = "" if cell is None else clean(cell) if isinstance(cell, str) else str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(_FORMULA) else text


def listing_xlsx(listing: Listing, made_on: date) -> bytes:
    """One sheet with fixed headings and a filter over them, A4 across when it is printed."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        created = datetime(made_on.year, made_on.month, made_on.day)  # noqa: DTZ001 - the format knows no zones
        book.set_properties({"title": listing.title, "created": created})
        sheet = book.add_worksheet(listing.title[:31])
        heading = book.add_format({"bold": True, "border": 1, "bg_color": "#EEEEEE", "text_wrap": True})
        looks = _looks(book)
        for column, text in enumerate(listing.headings):
            sheet.write_string(0, column, text, heading)
            cells = [row[column] for row in listing.rows[:200]]
            sheet.set_column(column, column, _width([text, *cells]))
        for line, row in enumerate(listing.rows, start=1):
            for column, cell in enumerate(row):
                _write(sheet, line, column, cell, looks)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(1, len(listing.rows)), len(listing.headings) - 1)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
    return buffer.getvalue()


def _looks(book: Any) -> dict[type, Any]:
    cells = {"border": 1, "valign": "top"}
    return {
        str: book.add_format({**cells, "text_wrap": True}),
        int: book.add_format(cells),
        Decimal: book.add_format({**cells, "num_format": "#,##0.00"}),
        date: book.add_format({**cells, "num_format": "yyyy-mm-dd"}),
    }


def _write(sheet: Any, line: int, column: int, cell: Cell, looks: dict[type, Any]) -> None:
    match cell:
        case None:
            sheet.write_blank(line, column, None, looks[str])
        case str():
            sheet.write_string(line, column, clean(cell), looks[str])
        case date():
            moment = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001
            sheet.write_datetime(line, column, moment, looks[date])
        case Decimal():
            sheet.write_number(line, column, cell, looks[Decimal])
        case _:
            sheet.write_number(line, column, cell, looks[int])


def _width(cells: list[Cell]) -> int:
    """Wide enough for the longest cell, a Chinese character counting two."""
    longest = max(sum(2 if ord(letter) > 255 else 1 for letter in str(cell or "")) for cell in cells)
    return min(max(longest + 2, _WIDTH_MIN), _WIDTH_MAX)

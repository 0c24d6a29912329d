"""The ranking as a workbook for the office. Texts are text cells, never formulas; the bytes depend on the data only."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from services.scoring.exports.columns import NUMBERS, WIDTHS, texts_of

# A constant, so that the same ranking gives the same file.
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - the format knows no zones


def ranking_xlsx(
    facts: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]], criteria: Mapping[str, str]
) -> bytes:
    """Two sheets: the ranking, and the facts it rests on as (name, value); the first fact is the title."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": facts[0][1], "created": _CREATED})
        bold = book.add_format({"bold": True, "bottom": 1})
        _write_rows(book.add_worksheet("排名"), rows, criteria, bold)
        sheet = book.add_worksheet("依据")
        sheet.set_column(0, 0, 16)
        sheet.set_column(1, 1, 72)
        for line, (name, value) in enumerate(facts):
            sheet.write_string(line, 0, name, bold)
            sheet.write_string(line, 1, value)
    return buffer.getvalue()


def _write_rows(sheet: Any, rows: Sequence[Mapping[str, Any]], criteria: Mapping[str, str], bold: Any) -> None:
    for column, (heading, width) in enumerate(WIDTHS.items()):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, heading, bold)
    for line, row in enumerate(rows, start=1):
        for column, (heading, text) in enumerate(texts_of(row, criteria).items()):
            if heading not in NUMBERS:
                sheet.write_string(line, column, text)
            elif text:
                sheet.write_number(line, column, float(text))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(rows), len(WIDTHS) - 1)

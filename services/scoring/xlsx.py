"""The ranking as a workbook for the office. Texts are text cells, never formulas; the bytes depend on the data only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from services.scoring.names import group_name, outcome_name

# A constant, so that the same ranking gives the same file.
_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - the format knows no zones
_COLUMNS = {
    "组别": 18,
    "名次": 6,
    "编号": 6,
    "项目编码": 10,
    "项目名称": 48,
    "申报单位": 30,
    "票数": 10,
    "投票得分": 10,
    "专家得分": 10,
    "总分": 10,
    "并列决定项": 12,
    "结果": 8,
}


def ranking_xlsx(title: str, version: int, digests: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]]) -> bytes:
    """Two sheets: the ranking, and the digests it rests on as (name, digest)."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": title, "created": _CREATED})
        bold = book.add_format({"bold": True, "bottom": 1})
        _write_rows(book.add_worksheet("排名"), rows, bold)
        facts = book.add_worksheet("依据")
        facts.set_column(0, 0, 16)
        facts.set_column(1, 1, 72)
        for line, (name, value) in enumerate((("评选", title), ("版本", str(version)), *digests)):
            facts.write_string(line, 0, name, bold)
            facts.write_string(line, 1, value)
    return buffer.getvalue()


def _write_rows(sheet: Any, rows: Sequence[dict[str, Any]], bold: Any) -> None:
    for column, (heading, width) in enumerate(_COLUMNS.items()):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, heading, bold)
    for line, row in enumerate(rows, start=1):
        texts = {0: group_name(row["group"]), 3: row["candidate"], 4: row["title"], 5: row["unit"]}
        texts |= {10: row["tie_break"], 11: outcome_name(row["outcome"])}
        for column, text in texts.items():
            sheet.write_string(line, column, text)
        numbers = {1: row["place"], 2: row["number"], 6: row["votes"]}
        numbers |= {7: row["vote_points"], 8: row["expert_points"], 9: row["total"]}
        for column, number in numbers.items():
            if number not in (None, ""):
                sheet.write_number(line, column, float(number))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(rows), len(_COLUMNS) - 1)

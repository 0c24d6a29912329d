"""The empty workbook that a clerk fills in for units that only have paper. Read again by `workbook_reader.py`."""

import io
from datetime import date, datetime
from typing import Any

import xlsxwriter

from services.registry.documents.workbook_sheets import (
    APPLICATIONS_MAX,
    INSTRUCTIONS,
    SHEETS,
    Column,
    Content,
    Sheet,
)

_CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - a constant, so that the template is always the same file
_LINES = (
    "一、“项目”表每行填写一个申报项目，“序号”自行编排（如 1、2、3），不得重复。",
    "二、其余各表每行填写一条内容，“序号”填写所属项目在“项目”表中的序号。",
    "三、表头不得改动，各表不得改名；填写的内容须为文字或数字，不得使用公式和宏。",
    f"四、一个文件最多填写{APPLICATIONS_MAX}个项目。没有合作单位的，“合作单位”表留空。",
    "五、金额以元为单位，最多两位小数；日期按 2021-11-30 的格式填写；统一社会信用代码为18位。",
    "六、长文字可在单元格内换行（Alt+Enter）分段。",
)


def applications_workbook() -> bytes:
    """The template: instructions, and a sheet each for projects, partners, team, budget and targets."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"title": "申报项目录入表", "created": _CREATED})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        instructions = book.add_worksheet(INSTRUCTIONS)
        instructions.set_column(0, 0, 100)
        for line, words in enumerate(_LINES):
            instructions.write_string(line, 0, words, wrapped)
        heading = book.add_format({"bold": True, "bg_color": "#EEEEEE", "border": 1, "text_wrap": True})
        looks = {
            # Text cells, so that a spreadsheet makes no number of 00123 and no formula of =A1.
            Content.AMOUNT: book.add_format({"num_format": "0.00"}),
            Content.DAY: book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        for sheet in SHEETS:
            _add_sheet(book.add_worksheet(sheet.name), sheet, heading, looks, text)
        book.worksheets()[1].activate()
    return buffer.getvalue()


def _add_sheet(made: Any, sheet: Sheet, heading: Any, looks: dict[Content, Any], text: Any) -> None:
    for place, column in enumerate(sheet.columns):
        made.set_column(place, place, column.width, looks.get(column.content, text))
        made.write_string(0, place, column.heading, heading)
        last = min(APPLICATIONS_MAX * sheet.rows_max, 20_000)
        made.data_validation(1, place, last, place, _validation(column))
    made.freeze_panes(1, 1)


def _validation(column: Column) -> dict[str, Any]:
    """What the spreadsheet itself refuses while typing; the reader checks everything again."""
    if column.content is Content.WORD:
        return {"validate": "list", "source": list(column.words.values()), "error_message": "请从下拉列表中选择。"}
    if column.content is Content.AMOUNT:
        return {"validate": "decimal", "criteria": ">", "value": 0, "error_message": "请填写大于0的金额，单位为元。"}
    if column.content is Content.DAY:
        earliest = date(2000, 1, 1)
        return {
            "validate": "date",
            "criteria": ">=",
            "value": earliest,
            "error_message": "请按 2021-11-30 的格式填写日期。",
        }
    message = f"最多{column.length_max}个字。"
    return {"validate": "length", "criteria": "<=", "value": column.length_max, "error_message": message}

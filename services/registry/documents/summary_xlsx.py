"""The 推荐汇总表 of a channel as a workbook that is ready to be printed and stamped: A4 across, headings on every page.

Texts are text cells, never formulas; the same rows give the same bytes.
"""

import io
from datetime import datetime
from typing import Any

import xlsxwriter

from services.registry.documents.forms import RecommendationSummary, RecommendedRow
from services.registry.documents.wording import category_name, chinese_date, level_name
from services.shared.typesetting.characters import clean

_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_COLUMNS = {
    "推荐排序": 9, "项目名称": 42, "牵头单位": 24, "合作单位": 26,
    "项目级别": 10, "申报类别": 10, "申请经费（元）": 15, "备注": 18,
}  # fmt: skip
_TOP_ROWS = 4


def recommendation_summary_xlsx(summary: RecommendationSummary) -> bytes:
    """One sheet: title rows, the rows by rank, a total, and the places for signature and stamp."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        day = summary.made_on
        created = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the format knows no zones
        book.set_properties({"title": f"{summary.channel_name}推荐汇总表", "created": created})
        sheet = book.add_worksheet("推荐汇总表")
        _set_up_print(sheet, summary)
        _write_top(book, sheet, summary)
        cells = {"border": 1, "valign": "vcenter", "text_wrap": True, "font_name": "仿宋", "font_size": 11}
        text, number = book.add_format(cells), book.add_format({**cells, "align": "center"})
        money = book.add_format({**cells, "num_format": "#,##0.00"})
        for line, row in enumerate(summary.rows, start=_TOP_ROWS):
            _write_row(sheet, line, row, text, number, money)
        _write_bottom(book, sheet, summary, text, money)
    return buffer.getvalue()


def _set_up_print(sheet: Any, summary: RecommendationSummary) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.8)
    sheet.fit_to_pages(1, 0)
    sheet.center_horizontally()
    sheet.repeat_rows(_TOP_ROWS - 1)
    sheet.freeze_panes(_TOP_ROWS, 0)
    sheet.set_footer(f"&L版本码 {summary.version_code}&C第 &P 页　共 &N 页")
    for column, width in enumerate(_COLUMNS.values()):
        sheet.set_column(column, column, width)


def _write_top(book: Any, sheet: Any, summary: RecommendationSummary) -> None:
    last = len(_COLUMNS) - 1
    small = book.add_format({"align": "center", "valign": "vcenter", "font_name": "黑体", "font_size": 13})
    large = book.add_format({"align": "center", "valign": "vcenter", "font_name": "黑体", "font_size": 20})
    plain = book.add_format({"align": "left", "valign": "vcenter", "font_name": "仿宋", "font_size": 11})
    facts = f"推荐渠道：{clean(summary.channel_name)}　　推荐名额：{summary.quota}个　　" + (
        f"推荐数：{len(summary.rows)}个　　日期：{chinese_date(summary.made_on)}　　版本码：{summary.version_code}"
    )
    for line, height, text, look in (
        (0, 22, clean(summary.round_title), small), (1, 34, "推荐汇总表", large), (2, 22, facts, plain),
    ):  # fmt: skip
        sheet.set_row(line, height)
        sheet.merge_range(line, 0, line, last, "", look)
        sheet.write_string(line, 0, text, look)
    heading = book.add_format(
        {
            "border": 1,
            "bg_color": "#EEEEEE",
            "align": "center",
            "valign": "vcenter",
            "font_name": "黑体",
            "text_wrap": True,
        }
    )
    sheet.set_row(_TOP_ROWS - 1, 26)
    for column, words in enumerate(_COLUMNS):
        sheet.write_string(_TOP_ROWS - 1, column, words, heading)


def _write_row(sheet: Any, line: int, row: RecommendedRow, text: Any, number: Any, money: Any) -> None:
    partners = "、".join(row.partner_names)
    # Rows do not grow by themselves where a file was never opened: two lines at least, more where a text needs them.
    needed = max(len(row.title) / 19, len(row.lead_name) / 11, len(partners) / 12, len(row.note) / 8)
    sheet.set_row(line, 16 * min(max(2, int(needed) + 1), 25))
    sheet.write_number(line, 0, row.rank, number)
    level, category = level_name(row.level), category_name(row.category)
    for column, value in ((1, row.title), (2, row.lead_name), (3, partners), (4, level), (5, category), (7, row.note)):
        sheet.write_string(line, column, clean(value), text)
    sheet.write_number(line, 6, float(row.budget_total), money)


def _write_bottom(book: Any, sheet: Any, summary: RecommendationSummary, text: Any, money: Any) -> None:
    line, last = _TOP_ROWS + len(summary.rows), len(_COLUMNS) - 1
    sheet.merge_range(line, 0, line, 5, "合计", text)
    sheet.write_number(line, 6, float(sum(row.budget_total for row in summary.rows)), money)
    sheet.write_string(line, last, "", text)
    place = book.add_format(
        {"valign": "top", "align": "right", "font_name": "仿宋", "font_size": 12, "text_wrap": True}
    )
    sheet.set_row(line + 1, 90)
    words = f"\n\n负责人（签字）：　　　　　　　　　　{clean(summary.channel_name)}（盖章）　　　　年　　月　　日"
    sheet.merge_range(line + 1, 0, line + 1, last, words, place)

"""Reads a filled-in import workbook: the applications in it, and every mistake with its sheet and cell.

Nothing of a workbook with a mistake is taken; the caller shows the problems and stores only where there are none.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import msgspec
import openpyxl
from openpyxl.utils import get_column_letter

from services.registry.documents.workbook_cells import read_cell
from services.registry.documents.workbook_guard import refused
from services.registry.documents.workbook_sheets import (
    APPLICATIONS_MAX,
    PROJECTS,
    SHEETS,
    Sheet,
)
from services.registry.rounds.applications import BudgetLine, Target, TeamMember, Unit
from services.shared.vocabulary import SECTIONS

PROBLEMS_MAX = 200
ROWS_MAX = 25_000
_COLUMNS_MAX = 60


class WorkbookProblem(msgspec.Struct, frozen=True):
    """One mistake: `cell` like `C5`, or empty where no single cell is to blame; `sheet` is empty for the whole file."""

    sheet: str
    cell: str
    what: str
    remedy: str


class WorkbookApplication(msgspec.Struct, frozen=True):
    """One application of the workbook; `key` and `line` say where it stood in the first sheet."""

    key: str
    line: int
    title: str
    level: str
    category: str
    summary: str
    lead: Unit
    partners: tuple[Unit, ...]
    sections: dict[str, str]
    team: tuple[TeamMember, ...]
    budget: tuple[BudgetLine, ...]
    targets: tuple[Target, ...]


Row = dict[str, Any]
Blame = Callable[[str, str, str, str], None]


def read_applications_workbook(content: bytes) -> tuple[list[WorkbookApplication], list[WorkbookProblem]]:
    """The applications, or none of them and what is to be mended: at most `PROBLEMS_MAX` problems."""
    wrong = refused(content)
    if wrong is not None:
        return [], [WorkbookProblem("", "", *wrong)]
    problems: list[WorkbookProblem] = []

    def blame(sheet: str, cell: str, what: str, remedy: str) -> None:
        if len(problems) < PROBLEMS_MAX:
            problems.append(WorkbookProblem(sheet, cell, what, remedy))

    try:
        book = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=False, keep_links=False)
    except Exception:  # A hostile file makes openpyxl raise whatever its parsers raise; all of it means the same.
        return [], [WorkbookProblem("", "", "工作簿的内部结构已损坏", "把内容复制到新下载的模板中，另存后再上传")]
    try:
        tables = {sheet.name: _read_sheet(book, sheet, blame) for sheet in SHEETS}
    finally:
        book.close()
    applications = _put_together(tables, blame)
    return ([], problems) if problems else (applications, [])


def _read_sheet(book: Any, sheet: Sheet, blame: Blame) -> list[Row]:
    """The rows of a sheet; empty rows are passed over, `line` is added to each."""
    if sheet.name not in book.sheetnames:
        blame(sheet.name, "", f"缺少工作表“{sheet.name}”", "使用新下载的模板，不要删除工作表或者改名")
        return []
    found: list[Row] = []
    try:
        rows = book[sheet.name].iter_rows(max_row=ROWS_MAX + 1, max_col=_COLUMNS_MAX)
        places = _columns_of(next(rows, ()), sheet, blame)
        for line, cells in enumerate(rows, start=2):
            if not any(cell.value not in (None, "") for cell in cells):
                continue
            if line > ROWS_MAX:
                blame(sheet.name, f"A{line}", f"超过{ROWS_MAX}行", "删去多余的行，或者分成几个文件")
                break
            found.append(_read_row(cells, line, sheet, places, blame))
    except Exception:  # Sheets are parsed only now, row by row.
        blame(sheet.name, "", "工作表的内容已损坏", "把内容复制到新下载的模板中，另存后再上传")
    return found


def _columns_of(cells: Any, sheet: Sheet, blame: Blame) -> dict[str, int]:
    """Where each column stands, by field; columns of other headings are not looked at."""
    headings = [str(cell.value).strip() if cell.value is not None else "" for cell in cells]
    places: dict[str, int] = {}
    for column in sheet.columns:
        if headings.count(column.heading) == 1:
            places[column.field] = headings.index(column.heading)
        else:
            what = f"缺少“{column.heading}”列" if column.heading not in headings else f"“{column.heading}”列重复"
            blame(sheet.name, "A1", what, "按模板恢复第一行的表头")
    return places


def _read_row(cells: Any, line: int, sheet: Sheet, places: dict[str, int], blame: Blame) -> Row:
    row: Row = {"line": line}
    for column in sheet.columns:
        if column.field not in places:
            row[column.field] = ""
            continue
        place = places[column.field]
        address = f"{get_column_letter(place + 1)}{line}"
        cell = cells[place] if place < len(cells) else None
        row[column.field] = read_cell(cell, column, partial(blame, sheet.name, address))
    return row


def _put_together(tables: dict[str, list[Row]], blame: Blame) -> list[WorkbookApplication]:
    """Each application with the rows of the other sheets that bear its number."""
    projects = tables[PROJECTS.name]
    counts = Counter(row["key"] for row in projects)
    for row in projects:
        if row["key"] and counts[row["key"]] > 1:
            blame(PROJECTS.name, f"A{row['line']}", f"序号“{row['key']}”重复", "每个项目使用不同的序号")
    if not projects:
        blame(PROJECTS.name, "A2", "没有填写任何项目", "从第二行起填写")
    if len(projects) > APPLICATIONS_MAX:
        blame(PROJECTS.name, f"A{projects[APPLICATIONS_MAX]['line']}", f"超过{APPLICATIONS_MAX}个项目", "分成几个文件")
    belonging = {sheet.name: _by_key(sheet, tables[sheet.name], counts, blame) for sheet in SHEETS[1:]}
    for row in projects:
        for sheet in SHEETS[1:]:
            if sheet.required and row["key"] and not belonging[sheet.name].get(row["key"]):
                what = f"项目“{row['key']}”在“{sheet.name}”表中没有内容"
                blame(PROJECTS.name, f"A{row['line']}", what, f"在“{sheet.name}”表中填写序号为“{row['key']}”的行")
    return [_application(row, belonging) for row in projects]


def _by_key(sheet: Sheet, rows: list[Row], known: Counter[str], blame: Blame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        key = row["key"]
        if key and key not in known:
            blame(sheet.name, f"A{row['line']}", f"“项目”表中没有序号“{key}”", "改为所属项目的序号")
            continue
        found.setdefault(key, []).append(row)
        if key and len(found[key]) == sheet.rows_max + 1:
            blame(sheet.name, f"A{row['line']}", f"项目“{key}”超过{sheet.rows_max}行", "合并或者删去多余的行")
    return found


def _application(row: Row, belonging: dict[str, dict[str, list[Row]]]) -> WorkbookApplication:
    partners, team, budget, targets = (belonging[sheet.name].get(row["key"], []) for sheet in SHEETS[1:])
    return WorkbookApplication(
        key=row["key"],
        line=row["line"],
        title=row["title"],
        level=row["level"],
        category=row["category"],
        summary=row["summary"],
        lead=Unit(row["lead_name"], row["lead_kind"], row["lead_credit_code"]),
        partners=tuple(Unit(each["name"], each["kind"], each["credit_code"]) for each in partners),
        sections={section: row[section] for section in SECTIONS},
        team=tuple(TeamMember(each["name"], each["role"]) for each in team),
        budget=tuple(BudgetLine(each["spending"], each["amount"], each["basis"]) for each in budget),
        targets=tuple(Target(each["target"], each["measure"], each["due"]) for each in targets),
    )

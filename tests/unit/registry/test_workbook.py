"""The import workbook: what a clerk fills in is read; every mistake is told with sheet, cell and how to mend it."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.registry.documents import workbook_guard
from services.registry.documents.workbook_reader import PROBLEMS_MAX, read_applications_workbook
from services.registry.documents.workbook_sheets import BUDGET, PARTNERS, PROJECTS, SHEETS, TARGETS, TEAM
from services.registry.documents.workbook_template import applications_workbook
from services.registry.rounds.applications import Application, parse_application
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

SHIPPED = Path(__file__).parents[3] / "deploy" / "rounds" / "kunming-2021" / "applications"


def shipped(name: str) -> Application:
    application = parse_application((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), name, [])
    assert application is not None
    return application


def filled(*names: str) -> Any:
    """The template as a clerk fills it in: names of words, numbers as numbers, days as days."""
    book: Any = openpyxl.load_workbook(io.BytesIO(applications_workbook()))
    for key, name in enumerate(names, start=1):
        each = shipped(name)
        lead = (each.lead.name, LEAD_KINDS[each.lead.kind], each.lead.credit_code)
        texts = [each.sections[section] for section in SECTIONS]
        words = (LEVELS[each.level], CATEGORIES[each.category])
        book[PROJECTS.name].append([key, each.title, *words, *lead, each.summary, *texts])
        for unit in each.partners:
            book[PARTNERS.name].append([key, unit.name, PARTNER_KINDS[unit.kind], unit.credit_code])
        for member in each.team:
            book[TEAM.name].append([key, member.name, member.role])
        for line in each.budget:
            book[BUDGET.name].append([key, line.line, float(line.amount), line.basis])
        for target in each.targets:
            book[TARGETS.name].append([key, target.target, target.measure, target.due])
    return book


def saved(book: Any) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def problems_of(content: bytes) -> list[tuple[str, str, str]]:
    applications, problems = read_applications_workbook(content)
    assert bool(problems) != bool(applications), "a workbook is taken as a whole or not at all"
    assert all(problem.remedy for problem in problems)
    return [(problem.sheet, problem.cell, problem.what) for problem in problems]


def test_what_was_filled_in_is_read() -> None:
    applications, problems = read_applications_workbook(saved(filled("K01", "K02", "K03")))
    assert problems == []
    assert [(each.key, each.line) for each in applications] == [("1", 2), ("2", 3), ("3", 4)]
    for read, name in zip(applications, ("K01", "K02", "K03"), strict=True):
        source = shipped(name)
        assert (read.title, read.level, read.category, read.summary) == (
            source.title, source.level, source.category, source.summary,
        )  # fmt: skip
        assert (read.lead, list(read.partners)) == (source.lead, source.partners)
        assert (list(read.team), list(read.budget), list(read.targets)) == (source.team, source.budget, source.targets)
        assert read.sections == {section: text.strip() for section, text in source.sections.items()}


def test_the_template_is_always_the_same_and_guides_the_clerk() -> None:
    content = applications_workbook()
    assert applications_workbook() == content
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["填写说明", *(sheet.name for sheet in SHEETS)]
    lists = {str(each.formula1) for each in book[PROJECTS.name].data_validations.dataValidation if each.type == "list"}
    assert '"重大项目,重点项目,一般项目"' in lists


def test_an_empty_template_is_told_so() -> None:
    assert problems_of(applications_workbook()) == [("项目", "A2", "没有填写任何项目")]


def test_texts_typed_instead_of_numbers_and_days_are_understood() -> None:
    book = filled("K01")
    book[BUDGET.name]["C2"], book[TARGETS.name]["D2"] = " 36,000.5 ", "2021/11/30"
    book[PROJECTS.name]["A2"] = "1"
    (application,), problems = read_applications_workbook(saved(book))
    assert problems == []
    assert application.budget[0].amount == Decimal("36000.50")
    assert application.targets[0].due == date(2021, 11, 30)


MISTAKES = [
    ("项目", "B2", None, "“项目名称”未填写"),
    ("项目", "B2", " \u200b ", "“项目名称”未填写"),
    ("项目", "B2", "长" * 201, "“项目名称”有201个字，最多200个"),
    ("项目", "B2", "一\n二", "“项目名称”含有换行"),
    ("项目", "B2", 1.5, "“项目名称”不是文字"),
    ("项目", "B2", "=1+1", "“项目名称”是公式"),
    ("项目", "B2", "=HYPERLINK(\"https://a.example\")", "“项目名称”是公式"),
    ("项目", "C2", "特大项目", "“项目级别”不能是“特大项目”"),
    ("项目", "F2", "高校", "“单位性质”不能是“高校”"),
    ("项目", "G2", "11530102MBPX00014Q", "“统一社会信用代码”校验不符"),
    ("项目", "H2", "长" * 501, "“项目概要”有501个字，最多500个"),
    ("项目", "I2", "长" * 10_001, "“服务需求分析”有10001个字，最多10000个"),
    ("合作单位", "C2", "企业", "“单位性质”不能是“企业”"),
    ("合作单位", "A2", "9", "“项目”表中没有序号“9”"),
    ("项目团队", "B3", None, "“姓名”未填写"),
    ("经费预算", "C2", 0, "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C3", -5, "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C4", 1.005, "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C4", "三万", "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C4", "NaN", "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C4", "1e400", "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("经费预算", "C4", True, "金额须为大于0、最多两位小数、不超过十亿的数"),
    ("项目目标", "D2", "明年年底", "日期无法识别"),
    ("项目目标", "D2", "2021-02-30", "日期无法识别"),
    ("项目目标", "A1", "编号", "缺少“序号”列"),
]  # fmt: skip


@pytest.mark.parametrize(("sheet", "cell", "value", "what"), MISTAKES)
def test_a_mistake_is_told_with_its_cell(sheet: str, cell: str, value: Any, what: str) -> None:
    book = filled("K01")
    book[sheet][cell] = value
    assert (sheet, cell, what) in problems_of(saved(book))


def test_every_mistake_is_told_at_once() -> None:
    book = filled("K01", "K02")
    book[PROJECTS.name]["B2"] = None
    book[PROJECTS.name]["C3"] = "甲"
    book[BUDGET.name]["C2"] = "乙"
    assert [(sheet, cell) for sheet, cell, _ in problems_of(saved(book))] == [
        ("项目", "B2"),
        ("项目", "C3"),
        ("经费预算", "C2"),
    ]


def test_problems_are_not_told_without_end() -> None:
    book = filled("K01")
    for line in range(300):
        book[BUDGET.name].append([f"x{line}", "", "", ""])
    assert len(problems_of(saved(book))) == PROBLEMS_MAX


def test_two_projects_need_two_numbers() -> None:
    book = filled("K01", "K02")
    book[PROJECTS.name]["A3"] = 1
    assert {(sheet, cell, what) for sheet, cell, what in problems_of(saved(book)) if "重复" in what} == {
        ("项目", "A2", "序号“1”重复"),
        ("项目", "A3", "序号“1”重复"),
    }


def test_a_project_without_a_budget_is_told() -> None:
    book = filled("K01")
    book[BUDGET.name].delete_rows(2, 50)
    assert ("项目", "A2", "项目“1”在“经费预算”表中没有内容") in problems_of(saved(book))


def test_too_many_lines_of_one_project_are_told() -> None:
    book = filled("K01")
    for place in range(200):
        book[BUDGET.name].append([1, f"支出{place}", 1, "依据"])
    assert ("经费预算", "A102", "项目“1”超过100行") in problems_of(saved(book))


def test_a_missing_sheet_is_told() -> None:
    book = filled("K01")
    del book[TEAM.name]
    assert ("项目团队", "", "缺少工作表“项目团队”") in problems_of(saved(book))


def with_entry(content: bytes, name: str, data: bytes) -> bytes:
    """The same archive with one entry added or exchanged."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
        new.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "xl/vbaProject.bin",
        "xl/externalLinks/externalLink1.xml",
        "xl/embeddings/oleObject1.bin",
        "xl/macrosheets/sheet1.xml",
    ],
)
def test_macros_links_and_objects_are_refused(name: str) -> None:
    assert problems_of(with_entry(saved(filled("K01")), name, b"x")) == [("", "", "文件含有宏、外部链接或者嵌入的对象")]


@pytest.mark.parametrize(
    "xml",
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<!--" + b"x" * ((1 << 16) - 10) + b'--><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="UTF-7"?><a/>',
    ],
)
def test_xml_that_defines_entities_is_refused(xml: bytes) -> None:
    content = with_entry(saved(filled("K01")), "xl/sharedStrings.xml", xml)
    assert problems_of(content) == [("", "", "文件内部的 XML 含有不允许的定义")]


def test_a_zip_bomb_is_refused() -> None:
    bomb = with_entry(saved(filled("K01")), "xl/media/picture.png", bytes(workbook_guard.UNPACKED_BYTES_MAX))
    assert len(bomb) < 200_000
    assert problems_of(bomb) == [("", "", "文件解压后超过50MB")]


def test_a_file_that_is_too_large_is_refused() -> None:
    assert problems_of(bytes(workbook_guard.FILE_BYTES_MAX + 1)) == [("", "", "文件超过10MB")]


def test_too_many_entries_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place in range(workbook_guard.ENTRIES_MAX + 1):
            archive.writestr(f"xl/{place}.xml", b"<a/>")
    assert problems_of(buffer.getvalue()) == [("", "", "文件内部的条目过多或者重复")]


@pytest.mark.parametrize(
    "content", [b"", b"not a workbook", b"PK\x03\x04" + bytes(200), b"\xd0\xcf\x11\xe0" + bytes(600)]
)
def test_other_files_are_refused(content: bytes) -> None:
    assert problems_of(content) == [("", "", "文件不是 XLSX 工作簿，或者已损坏、已加密")]


def test_another_kind_of_office_file_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", b"<a/>")
    assert problems_of(buffer.getvalue()) == [("", "", "文件不是 XLSX 工作簿")]


@pytest.mark.parametrize(
    "name", ["xl/workbook.xml", "[Content_Types].xml", "xl/worksheets/sheet2.xml", "xl/styles.xml"]
)
@pytest.mark.parametrize("data", [b"", b"<a>", b"<worksheet/>", b"\xff\xfe\xff"])
def test_a_broken_inside_is_told_and_never_an_error(name: str, data: bytes) -> None:
    assert problems_of(with_entry(saved(filled("K01")), name, data)) != []


@pytest.mark.parametrize("data", [b"", b"<a>", b"<worksheet/>"])
def test_broken_texts_are_told_and_never_an_error(data: bytes) -> None:
    assert problems_of(with_entry(applications_workbook(), "xl/sharedStrings.xml", data)) != []

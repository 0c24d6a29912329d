"""DOCX and XLSX of the office: complete, safe to open, ready to be stamped, and the same every time."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import docx
import msgspec
import openpyxl
import pytest
from docx.oxml.ns import qn

from services.registry.documents import forms
from services.registry.documents.application_docx import application_form_docx
from services.registry.documents.office_docx import daily_report_docx, list_docx, retraction_docx
from services.registry.documents.summary_xlsx import recommendation_summary_xlsx
from services.registry.documents.wording import yuan
from tests.unit.registry.test_documents_pdf import HOSTILE, LIST, RARE, RETRACTION, filled_form

REPORT = forms.DailyReport(
    round_title="昆明评选",
    issuing_office="办公室",
    reported_on=date(2020, 11, 3),
    figures=(forms.ReportFigure("参与人数", "1,024人", "累计"),),
    events=("完成初审三件。",),
    due_next=("补正材料于11月5日到期。",),
)
SUMMARY = forms.RecommendationSummary(
    round_title="昆明评选",
    channel_name="五华区",
    quota=4,
    rows=(
        forms.RecommendedRow(1, "=1+1", "翠屏街道", ("云南大学", "促进会"), "major", "culture", Decimal("257400.10")),
        forms.RecommendedRow(2, RARE, "大观社区", (), "general", "other", Decimal("0.20"), "超名额，已报批"),
    ),
    made_on=date(2020, 10, 5),
    version_code="7K3M-9QXZ-2ABC",
)


def text_of(content: bytes) -> str:
    """All text of the body, tables and footer."""
    document = docx.Document(BytesIO(content))
    parts = [document.element.body, document.sections[0].footer._element]
    return "".join("".join(node.text or "" for node in part.iter(qn("w:t"))) for part in parts)


def test_the_form_is_complete_in_docx() -> None:
    form = filled_form(title=f"{RARE}{HOSTILE}<w:p/>&amp;\u0007")
    text = text_of(application_form_docx(form))
    expected = [
        form.round_title,
        f"{RARE}{HOSTILE}<w:p/>&amp;",
        "重大项目",
        "党建引领",
        form.summary,
        form.version_code,
    ]
    expected += [
        form.contingencies.strip(),
        form.need_analysis.strip(),
        form.work_plan.strip(),
        form.innovation_analysis.strip(),
    ]
    expected += [part for unit in (form.lead, *form.partners) for part in (unit.name, unit.credit_code)]
    expected += [part for line in form.budget for part in (line.line, yuan(line.amount), line.basis)]
    expected += [part for member in form.team for part in (member.name, member.role)]
    expected += [part for each in form.targets for part in (each.target, each.measure)]
    expected += [
        "257,400.00",
        "人民币贰拾伍万柒仟肆佰元整",
        "推荐意见",
        "（盖章）",
        "已于2020年9月20日在线同意联合申报",
    ]
    assert [each for each in expected if each not in text] == []


def test_docx_uses_an_offices_faces_and_repeats_headings() -> None:
    content = application_form_docx(filled_form())
    with zipfile.ZipFile(BytesIO(content)) as archive:
        body = archive.read("word/document.xml").decode()
        footer = archive.read("word/footer1.xml").decode()
        pictures = [name for name in archive.namelist() if name.startswith("word/media/")]
    assert 'w:eastAsia="仿宋"' in body
    assert body.count("w:tblHeader") == 5
    assert "NUMPAGES" in footer
    assert len(pictures) == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda: application_form_docx(filled_form()),
        lambda: list_docx(LIST),
        lambda: retraction_docx(RETRACTION),
        lambda: daily_report_docx(REPORT),
        lambda: recommendation_summary_xlsx(SUMMARY),
    ],
    ids=["form", "list", "retraction", "daily report", "summary"],
)
def test_the_same_content_gives_the_same_bytes(made: Callable[[], bytes]) -> None:
    first = made()
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert "python-docx" not in core
    assert core.count(">2020-") == 2, "the dates are the document's own"
    assert made() == first


def test_a_list_and_its_retraction_say_what_they_are() -> None:
    text = text_of(list_docx(LIST))
    expected = [LIST.heading, LIST.document_number, LIST.issuing_office, "2020年12月1日", "一、重大项目", "36", "递补"]
    expected += [f"{RARE}共治", LIST.closing, LIST.version_code, "公示期为五个工作日。"]
    assert [each for each in expected if each not in text] == []
    text = text_of(retraction_docx(RETRACTION))
    expected = ["撤回公告", RETRACTION.document_number, LIST.document_number, RETRACTION.reason, "特此公告。"]
    assert [each for each in expected if each not in text] == []


def test_a_daily_report_stays_on_its_page() -> None:
    """What does not fit is counted; a figure of the report has no place for a candidate's count."""
    text = text_of(daily_report_docx(REPORT))
    assert [each for each in ("昆明评选", "1,024人", "累计", "完成初审三件。", "11月5日到期") if each not in text] == []
    many = msgspec.structs.replace(
        REPORT, events=tuple(f"第{place}件事。" + "长" * 300 for place in range(30)), due_next=()
    )
    text = text_of(daily_report_docx(many))
    assert "另有24项" in text
    assert "第6件事" not in text
    assert "无。" in text
    assert len(text) < 1_000


@pytest.fixture
def summary_sheet() -> Any:
    return openpyxl.load_workbook(BytesIO(recommendation_summary_xlsx(SUMMARY)))["推荐汇总表"]


def test_the_summary_is_ready_to_be_printed_and_stamped(summary_sheet: Any) -> None:
    assert (summary_sheet.page_setup.orientation, summary_sheet.page_setup.paperSize) == ("landscape", 9)
    assert summary_sheet.print_title_rows == "$4:$4"
    assert summary_sheet.sheet_properties.pageSetUpPr.fitToPage
    assert summary_sheet.page_setup.fitToHeight == 0
    assert summary_sheet["B5"].border.left.style == "thin"
    assert SUMMARY.version_code in summary_sheet.oddFooter.left.text
    assert "五华区（盖章）" in summary_sheet["A8"].value


def test_the_summary_has_every_row_as_text_and_numbers(summary_sheet: Any) -> None:
    rows = [[cell.value or None for cell in row] for row in summary_sheet.iter_rows(min_row=5, max_row=7)]
    assert rows[0] == [1, "=1+1", "翠屏街道", "云南大学、促进会", "重大项目", "文化形塑", 257400.1, None]
    assert rows[1] == [2, RARE, "大观社区", None, "一般项目", "其他", 0.2, "超名额，已报批"]
    assert (rows[2][0], rows[2][6]) == ("合计", 257400.3)
    assert summary_sheet["B5"].data_type == "s"
    assert "推荐名额：4个" in summary_sheet["A3"].value

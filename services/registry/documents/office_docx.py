"""The office's own documents as DOCX: lists, retractions and the daily report, to be edited before they are sent."""

from services.registry.documents.forms import DailyReport, PublishedList, Retraction
from services.registry.documents.pdf import list_rows, paragraphs, retraction_paragraphs
from services.registry.documents.word import (
    HEADING,
    add_line,
    add_paragraphs,
    add_signature,
    add_table,
    new_document,
    saved,
    set_footer,
    xml_text,
)
from services.registry.documents.wording import chinese_date

FIGURES_MAX = 12
EVENTS_MAX = 6
DUE_MAX = 6
_LINE_MAX = 90


def list_docx(published: PublishedList) -> bytes:
    """The 名单 or 公示 with its document number."""
    document = new_document(published.heading, published.issuing_office, published.issued_on)
    set_footer(document, published.document_number, published.version_code)
    add_line(document, published.document_number, 13, face=HEADING)
    add_line(document, published.heading, 20, face=HEADING)
    add_paragraphs(document, paragraphs(published.introduction))
    for group in published.groups:
        document.add_heading(xml_text(group.heading), level=1)
        headings = ("序号", "编号", "项目名称", "申报单位", "备注")
        add_table(document, headings, list_rows(group), (15, 15, 66, 42, 24))
    add_paragraphs(document, paragraphs(published.closing))
    add_signature(document, published.issuing_office, chinese_date(published.issued_on))
    return saved(document)


def retraction_docx(retraction: Retraction) -> bytes:
    """The 撤回公告 of an earlier document."""
    title = f"撤回公告：{retraction.retracted_heading}"
    document = new_document(title, retraction.issuing_office, retraction.issued_on)
    set_footer(document, retraction.document_number, retraction.version_code)
    add_line(document, retraction.document_number, 13, face=HEADING)
    add_line(document, "撤回公告", 24, face=HEADING)
    add_paragraphs(document, retraction_paragraphs(retraction))
    add_signature(document, retraction.issuing_office, chinese_date(retraction.issued_on))
    return saved(document)


def daily_report_docx(report: DailyReport) -> bytes:
    """The 每日情况 on one page: what goes beyond the page is counted, not shown, and no ranking has a place in it."""
    day = chinese_date(report.reported_on)
    document = new_document(f"{report.round_title}每日情况", report.issuing_office, report.reported_on)
    add_line(document, report.round_title, 14, face=HEADING)
    add_line(document, f"每日情况（{day}）", 18, face=HEADING)
    rows = [(figure.name, figure.value, _short(figure.note)) for figure in report.figures[:FIGURES_MAX]]
    add_table(document, ("事项", "数量", "说明"), rows, (50, 32, 80))
    for heading, lines, lines_max in (("今日情况", report.events, EVENTS_MAX), ("近期到期", report.due_next, DUE_MAX)):
        add_line(document, heading, 13, face=HEADING, align="LEFT")
        add_paragraphs(document, [_short(line) for line in lines[:lines_max]] or ["无。"])
        if len(lines) > lines_max:
            add_paragraphs(document, [f"另有{len(lines) - lines_max}项，见系统。"])
    add_signature(document, report.issuing_office, day)
    return saved(document)


def _short(text: str) -> str:
    return text if len(text) <= _LINE_MAX else f"{text[: _LINE_MAX - 1]}…"

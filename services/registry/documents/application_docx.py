"""The 申报书 as a DOCX with the sections of the PDF, for units that edit, comment or keep it in their own systems."""

from typing import Any

from docx.document import Document

from services.registry.documents.forms import ApplicationForm
from services.registry.documents.pdf import consent_text, due_date, paragraphs, partner_names
from services.registry.documents.word import (
    HEADING,
    add_box,
    add_line,
    add_stamp_place,
    add_table,
    new_document,
    saved,
    set_footer,
    xml_text,
)
from services.registry.documents.wording import (
    capital_amount,
    category_name,
    chinese_date,
    kind_name,
    level_name,
    yuan,
)

_NUMERALS = "一二三四五六七八九十"


def application_form_docx(form: ApplicationForm) -> bytes:
    """The form's bytes; every page's footer names the version code."""
    document = new_document(form.title, form.lead.name, form.filled_on)
    set_footer(document, f"申报书　{form.application}", form.version_code)
    _add_cover(document, form)
    sections = [
        ("项目性质", _add_nature), ("服务需求分析", lambda to, of: add_box(to, paragraphs(of.need_analysis))),
        ("工作计划", lambda to, of: add_box(to, paragraphs(of.work_plan))),
        ("创新性分析", lambda to, of: add_box(to, paragraphs(of.innovation_analysis))),
        ("项目概要", lambda to, of: add_box(to, paragraphs(of.summary))),
        ("项目团队", _add_team), ("经费预算", _add_budget), ("项目目标", _add_targets),
        ("突发情况预测及应对机制", lambda to, of: add_box(to, paragraphs(of.contingencies))),
        ("申报单位意见", lambda to, of: add_stamp_place(to, of.lead.name)),
        *([("合作单位意见", _add_consents)] if form.consents else []),
        ("推荐意见", lambda to, of: add_stamp_place(to, f"推荐渠道：{of.channel_name}", 60)),
    ]  # fmt: skip
    for number, (title, add) in enumerate(sections, start=1):
        numeral = _NUMERALS[number - 1] if number <= 10 else f"十{_NUMERALS[number - 11]}"
        document.add_heading(xml_text(f"{numeral}、{title}"), level=1)
        add(document, form)
    return saved(document)


def _add_cover(document: Any, form: ApplicationForm) -> None:
    add_line(document, form.round_title, 16, face=HEADING)
    add_line(document, "申报书", 36, face=HEADING)
    cover = [
        ("项目名称", form.title), ("牵头单位", form.lead.name), ("合作单位", partner_names(form)),
        ("项目级别", level_name(form.level)), ("申报类别", category_name(form.category)),
        ("推荐渠道", form.channel_name), ("填报日期", chinese_date(form.filled_on)), ("版本码", form.version_code),
    ]  # fmt: skip
    add_table(document, (), cover, (32, 130))
    document.add_page_break()


def _add_nature(document: Document, form: ApplicationForm) -> None:
    level, category = level_name(form.level), category_name(form.category)
    add_table(document, ("项目级别", "申报类别", "推荐渠道"), [(level, category, form.channel_name)], (40, 50, 72))
    document.add_paragraph()
    units = [("牵头单位", form.lead), *(("合作单位", partner) for partner in form.partners)]
    rows = [(part, unit.name, kind_name(unit.kind), unit.credit_code) for part, unit in units]
    add_table(document, ("", "单位名称", "单位性质", "统一社会信用代码"), rows, (24, 58, 26, 54))


def _add_team(document: Document, form: ApplicationForm) -> None:
    rows = [(str(place), member.name, member.role) for place, member in enumerate(form.team, start=1)]
    add_table(document, ("序号", "姓名", "职责"), rows, (14, 46, 102))


def _add_budget(document: Document, form: ApplicationForm) -> None:
    rows = [(str(at), line.line, yuan(line.amount), line.basis) for at, line in enumerate(form.budget, start=1)]
    total = ("", "合计", yuan(form.budget_total), capital_amount(form.budget_total))
    add_table(document, ("序号", "支出项目", "金额（元）", "测算依据"), [*rows, total], (14, 54, 36, 58))


def _add_targets(document: Document, form: ApplicationForm) -> None:
    rows = [
        (str(place), each.target, each.measure, due_date(each.due)) for place, each in enumerate(form.targets, start=1)
    ]
    add_table(document, ("序号", "目标", "衡量方式", "完成时间"), rows, (14, 56, 54, 38))


def _add_consents(document: Document, form: ApplicationForm) -> None:
    for consent in form.consents:
        if consent.given_on is None:
            add_stamp_place(document, consent.partner, 34)
        else:
            add_table(document, (), [(consent.partner, consent_text(consent))], (62, 100))
            document.add_paragraph()

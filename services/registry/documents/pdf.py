"""Every printed document as PDF/A-2b: one function each, frozen struct in, bytes out, the same bytes each time.

The templates lie beside this file; `shared/typesetting/pdf.py` lays them out. Call it from a worker thread.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from services.registry.documents import forms
from services.registry.documents.wording import (
    capital_amount,
    category_name,
    chinese_date,
    kind_name,
    level_name,
    yuan,
)
from services.shared.typesetting.pdf import coded, typeset
from services.shared.typesetting.version_code import code_svg

_TEMPLATES = Path(__file__).with_name("templates")
_COVER_NAMES_MAX = 150


def application_form_pdf(form: forms.ApplicationForm) -> bytes:
    """The 申报书, every page with its version code, with places for the stamps."""
    units = [("牵头单位", form.lead), *(("合作单位", partner) for partner in form.partners)]
    return _coded("application_form", form.version_code, form.filled_on, f"申报书　{form.application}", {
        "document_title": form.title,
        "document_author": form.lead.name,
        "round_title": form.round_title,
        "cover": [
            ("项目名称", form.title), ("牵头单位", form.lead.name), ("合作单位", partner_names(form)),
            ("项目级别", level_name(form.level)), ("申报类别", category_name(form.category)),
            ("推荐渠道", form.channel_name), ("填报日期", chinese_date(form.filled_on)),
        ],
        "level": level_name(form.level), "category": category_name(form.category), "channel_name": form.channel_name,
        "units": [(part, unit.name, kind_name(unit.kind), unit.credit_code) for part, unit in units],
        "need_analysis": paragraphs(form.need_analysis), "work_plan": paragraphs(form.work_plan),
        "innovation_analysis": paragraphs(form.innovation_analysis), "summary": paragraphs(form.summary),
        "contingencies": paragraphs(form.contingencies),
        "team": _numbered((member.name, member.role) for member in form.team),
        "budget": _numbered((line.line, yuan(line.amount), line.basis) for line in form.budget),
        "budget_total": yuan(form.budget_total), "budget_capitals": capital_amount(form.budget_total),
        "targets": _numbered((each.target, each.measure, due_date(each.due)) for each in form.targets),
        "lead_name": form.lead.name,
        "consents": [{"partner": each.partner, "given": consent_text(each)} for each in form.consents],
    })  # fmt: skip


def recommendation_page_pdf(page: forms.RecommendationPage) -> bytes:
    """The 推荐意见 on one application, ready to stamp."""
    return _coded("recommendation_page", page.version_code, page.recommended_on, f"推荐意见　{page.application}", {
        "document_title": f"推荐意见：{page.title}",
        "document_author": page.channel_name,
        "round_title": page.round_title, "title": page.title, "lead_name": page.lead_name,
        "level": level_name(page.level), "category": category_name(page.category), "channel_name": page.channel_name,
        "rank": f"第{page.rank}位", "quota": f"{page.quota}个", "exemption": page.exemption,
        "opinion": paragraphs(page.opinion),
    })  # fmt: skip


def list_pdf(published: forms.PublishedList) -> bytes:
    """The 名单 or 公示 with its document number."""
    return _coded("published_list", published.version_code, published.issued_on, published.document_number, {
        "document_title": published.heading,
        "document_author": published.issuing_office,
        "heading": published.heading, "document_number": published.document_number,
        "introduction": paragraphs(published.introduction), "closing": paragraphs(published.closing),
        "groups": [{"heading": group.heading, "rows": list_rows(group)} for group in published.groups],
        "issuing_office": published.issuing_office, "issued_on": chinese_date(published.issued_on),
    })  # fmt: skip


def retraction_pdf(retraction: forms.Retraction) -> bytes:
    """The 撤回公告 of an earlier document."""
    return _coded("retraction", retraction.version_code, retraction.issued_on, retraction.document_number, {
        "document_title": f"撤回公告：{retraction.retracted_heading}",
        "document_author": retraction.issuing_office,
        "document_number": retraction.document_number,
        "paragraphs": retraction_paragraphs(retraction),
        "issuing_office": retraction.issuing_office, "issued_on": chinese_date(retraction.issued_on),
    })  # fmt: skip


def poster_pdf(poster: forms.Poster) -> bytes:
    """A candidate's poster on one page; ValueError for an address that could carry a choice."""
    if "?" in poster.round_address or "#" in poster.round_address:
        raise ValueError(
            "a poster's address must be the plain page of the round, without ? and #: it preselects nothing"
        )
    return _typeset("poster", poster.printed_on, {
        "document_title": f"{poster.number}号　{poster.title}",
        "document_author": poster.unit,
        "round_title": poster.round_title, "number": str(poster.number), "title": poster.title, "unit": poster.unit,
        "level": level_name(poster.level), "voting_window": poster.voting_window,
        "round_address": poster.round_address, "round_svg": code_svg(poster.round_address),
    })  # fmt: skip


def score_sheet_pdf(sheet: forms.ScoreSheet) -> bytes:
    """The paper fallback of an expert's sheet: criteria with anchors, then a field for each mark."""
    return _coded("score_sheet", sheet.version_code, sheet.printed_on, f"专家评分表　{sheet.panel}", {
        "document_title": f"专家评分表：{sheet.panel}",
        "document_author": sheet.round_title,
        "round_title": sheet.round_title, "panel": sheet.panel, "expert": sheet.expert,
        "mark_range": f"{sheet.mark_min}至{sheet.mark_max}分",
        "criteria": msgspec.to_builtins(sheet.criteria),
        "candidates": [
            {"number": f"{each.number}号", "title": each.title, "unit": each.unit, "recused": each.recused}
            for each in sheet.candidates
        ],
    })  # fmt: skip


def archive_index_pdf(index: forms.ArchiveIndex) -> bytes:
    """The 卷内目录 of a round's archive, A4 across."""
    rows = (
        (each.responsible, each.title, chinese_date(each.made_on), "" if each.pages is None else str(each.pages),
         each.retention, _in_groups(each.sha256), each.note)
        for each in index.files
    )  # fmt: skip
    return _coded("archive_index", index.version_code, index.made_on, f"卷内目录　{index.archive_number}", {
        "document_title": f"卷内目录：{index.round_title}",
        "document_author": index.issuing_office,
        "round_title": index.round_title, "archive_number": index.archive_number,
        "issuing_office": index.issuing_office, "made_on": chinese_date(index.made_on), "files": _numbered(rows),
    })  # fmt: skip


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text without empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def partner_names(form: forms.ApplicationForm) -> str:
    """The partners as a cover names them: all while they fit on it, otherwise the first of how many."""
    names = "、".join(partner.name for partner in form.partners)
    if len(names) > _COVER_NAMES_MAX:
        return f"{form.partners[0].name}等{len(form.partners)}家（名单见“项目性质”）"
    return names or "无"


def due_date(due: date | None) -> str:
    return chinese_date(due) if due else ""


def consent_text(consent: forms.Consent) -> str:
    """How a consent given online is told; empty where paper is to be stamped."""
    if consent.given_on is None:
        return ""
    by = f"，{consent.given_by}" if consent.given_by else ""
    return f"已于{chinese_date(consent.given_on)}在线同意联合申报{by}"


def list_rows(group: forms.ListGroup) -> list[tuple[str, ...]]:
    return _numbered((f"{each.number}", each.title, each.unit, each.note) for each in group.entries)


def retraction_paragraphs(retraction: forms.Retraction) -> list[str]:
    """The sentences of a 撤回公告, as PDF and DOCX share them."""
    what = f"《{retraction.retracted_heading}》（{retraction.retracted_number}）"
    first = (
        f"我单位于{chinese_date(retraction.retracted_issued_on)}发布的{what}，自本公告发布之日起撤回，不再作为依据。"
    )
    instead = f"现以{retraction.replaced_by}为准。" if retraction.replaced_by else "新的文件另行发布。"
    return [first, *paragraphs(f"撤回原因：{retraction.reason}"), instead, "特此公告。"]


def _numbered(rows: Any) -> list[tuple[str, ...]]:
    return [(str(place), *row) for place, row in enumerate(rows, start=1)]


def _in_groups(digest: str) -> str:
    # Two lines: the column breaks them at the blank.
    return " ".join(digest[start : start + 32] for start in range(0, len(digest), 32))


def _coded(template: str, version_code: str, day: date, footer: str, values: Mapping[str, Any]) -> bytes:
    """Typeset with the footer that carries the version code."""
    return _typeset(template, day, coded(version_code, footer, values))


def _typeset(template: str, day: date, values: Mapping[str, Any]) -> bytes:
    return typeset(_TEMPLATES / f"{template}.typ", day, values)

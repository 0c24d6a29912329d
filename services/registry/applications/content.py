"""The application form (申报书) as structured fields: strict types, limits, and autosave that changes only what came.

Pure. A draft may lack anything; what it holds keeps to the limits, which `form_fields` shows to people while they type.
Called by `drafting.py`, `importing.py`, `api.py`.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from services.registry.applications.problems import Problem, Word
from services.registry.rounds.applications import (
    BUDGET_LINES_MAX,
    NAME_MAX,
    PARTNERS_MAX,
    SECTION_MAX,
    SUMMARY_MAX,
    TARGETS_MAX,
    TEAM_MAX,
    TITLE_MAX,
)
from services.shared.vocabulary import CATEGORIES, LEVELS, PARTNER_KINDS, SECTIONS

AMOUNT_MAX_CHARACTERS = 20
PICTURE_ALT_MAX = 200


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the form's parts: an unknown key is a mistake, not something to keep silently."""


class Partner(_Part, frozen=True):
    """A unit that applies jointly (联合申报)."""

    name: str = ""
    kind: str = ""
    credit_code: str = ""


class TeamMember(_Part, frozen=True):
    name: str = ""
    role: str = ""


class BudgetLine(_Part, frozen=True):
    """`amount` in yuan, a decimal in a text."""

    line: str = ""
    amount: str = ""
    basis: str = ""


class Target(_Part, frozen=True):
    """What acceptance will check: the target, how it is measured, and by when."""

    target: str = ""
    measure: str = ""
    due: date | None = None


class Sections(_Part, frozen=True):
    need_analysis: str = ""
    work_plan: str = ""
    innovation_analysis: str = ""
    contingencies: str = ""


class Content(_Part, frozen=True):
    """The whole form; the lead is the applying unit itself and stands in no field."""

    title: str = ""
    level: str = ""
    category: str = ""
    summary: str = ""
    picture_alt: str = ""
    partners: list[Partner] = []
    sections: Sections = Sections()
    team: list[TeamMember] = []
    budget: list[BudgetLine] = []
    budget_total: str = ""
    targets: list[Target] = []


class WrongContent(Exception):
    """What came is no form at all: an unknown key, a number where a text belongs."""


def read(stored: Mapping[str, Any]) -> Content:
    return msgspec.convert(dict(stored), Content)


def merged(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Content:
    """The form after an autosave: keys that were left out stay as they were, lists come whole.

    Raises WrongContent with the place and the kind of value that belongs there.
    """
    after = {**stored, **given}
    sections = given.get("sections")
    if isinstance(sections, Mapping):
        after["sections"] = {**stored.get("sections", {}), **sections}
    try:
        return msgspec.convert(after, Content)
    except msgspec.ValidationError as error:
        raise WrongContent(str(error)) from None


def trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


FIELD_TITLES = {
    "title": "项目名称",
    "level": "项目级别",
    "category": "申报范围",
    "summary": "项目概要",
    "picture_alt": "图片说明",
    "partners": "联合申报单位",
    **{f"sections.{section}": title for section, title in SECTIONS.items()},
    "team": "项目团队",
    "budget": "经费预算",
    "budget_total": "预算合计",
    "targets": "绩效目标",
    "partners.name": "单位名称",
    "partners.kind": "单位性质",
    "partners.credit_code": "统一社会信用代码",
    "team.name": "姓名",
    "team.role": "分工",
    "budget.line": "支出项目",
    "budget.amount": "金额（元）",
    "budget.basis": "测算依据",
    "targets.target": "目标",
    "targets.measure": "衡量方式",
    "targets.due": "完成时间",
}
TEXT_MAX = {
    "title": TITLE_MAX,
    "summary": SUMMARY_MAX,
    "picture_alt": PICTURE_ALT_MAX,
    **{f"sections.{section}": SECTION_MAX for section in SECTIONS},
    "budget_total": AMOUNT_MAX_CHARACTERS,
    "partners.name": NAME_MAX,
    "partners.credit_code": NAME_MAX,
    "team.name": NAME_MAX,
    "team.role": NAME_MAX,
    "budget.line": NAME_MAX,
    "budget.amount": AMOUNT_MAX_CHARACTERS,
    "budget.basis": NAME_MAX,
    "targets.target": NAME_MAX,
    "targets.measure": NAME_MAX,
}
ROWS_MAX = {"partners": PARTNERS_MAX, "team": TEAM_MAX, "budget": BUDGET_LINES_MAX, "targets": TARGETS_MAX}
CHOICES = {"level": LEVELS, "category": CATEGORIES, "partners.kind": PARTNER_KINDS}
HINTS = {
    "title": "一事一例，写明做什么",
    "summary": "投票页面和名单会公开这段文字",
    "picture_alt": "给看不到图片的人读的一句话",
    "sections.need_analysis": "谁需要、有多少人、现在怎么解决",
    "sections.work_plan": "分阶段写清做什么、谁来做、何时完成",
    "sections.innovation_analysis": "与本地和外地已有做法相比新在哪里",
    "sections.contingencies": "可能出现的突发情况和应对办法",
    "partners": "高校、科研机构和社会组织只能联合申报",
    "team": "至少一人",
    "budget": "各项金额相加应等于预算合计",
    "budget_total": "单位：元，最多两位小数",
    "targets": "验收时逐条对照",
}
_LINES_ALLOWED = frozenset({"summary", *(f"sections.{section}" for section in SECTIONS)})


def form_fields() -> list[dict[str, Any]]:
    """Every field with its title, limit, choices and hint, in the order of the form."""
    return [
        {
            "field": field,
            "title": title,
            "length_max": TEXT_MAX.get(field),
            "rows_max": ROWS_MAX.get(field),
            "choices": [{"word": word, "name": name} for word, name in CHOICES[field].items()]
            if field in CHOICES
            else None,
            "hint": HINTS.get(field, ""),
        }
        for field, title in FIELD_TITLES.items()
    ]


def broken_limits(content: Content) -> list[Problem]:
    """What even a draft may not hold: texts and tables beyond their limits, control characters, unknown words."""
    problems: list[Problem] = []
    values = msgspec.to_builtins(content)
    for name, value in values.items():
        if name == "sections":
            for section, text in value.items():
                _check_text(f"sections.{section}", f"sections.{section}", text, problems)
        elif isinstance(value, list):
            if len(value) > ROWS_MAX[name]:
                problems.append(Problem(name, Word.TOO_MANY, {"count": len(value), "limit": ROWS_MAX[name]}))
            for row, entry in enumerate(value):
                for key, text in entry.items():
                    _check_text(f"{name}.{key}", f"{name}[{row}].{key}", text, problems)
        else:
            _check_text(name, name, value, problems)
    return problems


def _check_text(kind: str, place: str, text: str | None, problems: list[Problem]) -> None:
    if not text:
        return
    allowed = "\n\r\t" if kind in _LINES_ALLOWED else ""
    if kind in CHOICES and text not in CHOICES[kind]:
        problems.append(Problem(place, Word.NO_CHOICE, {"choices": "、".join(CHOICES[kind])}))
    elif any((ord(each) < 32 and each not in allowed) or 0xD800 <= ord(each) < 0xE000 for each in text):
        problems.append(Problem(place, Word.CONTROL_CHARACTER, {}))
    elif len(text) > TEXT_MAX.get(kind, NAME_MAX):
        problems.append(Problem(place, Word.TOO_LONG, {"count": len(text), "limit": TEXT_MAX.get(kind, NAME_MAX)}))

"""The sheets of the import workbook, told once: the template writes them, the reader checks against them.

One row of the first sheet is one application under a number of its own (序号); by it the other sheets say which
application a row belongs to.
"""

from enum import StrEnum

import msgspec

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
from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

APPLICATIONS_MAX = 200
KEY = "序号"
KEY_MAX = 20


class Content(StrEnum):
    """What a column holds."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    WORD = "word"
    CREDIT_CODE = "credit_code"
    AMOUNT = "amount"
    DAY = "day"


class Column(msgspec.Struct, frozen=True):
    """A column: its heading, the field of the row, and what may stand in it."""

    heading: str
    field: str
    content: Content
    length_max: int
    width: int
    words: dict[str, str] = {}


class Sheet(msgspec.Struct, frozen=True):
    """A sheet; `rows_max` is the most rows of one application, `required` whether each application needs one."""

    name: str
    columns: tuple[Column, ...]
    rows_max: int
    required: bool


def _text(heading: str, field: str, length_max: int = NAME_MAX, width: int = 30) -> Column:
    return Column(heading, field, Content.TEXT, length_max, width)


def _word(heading: str, field: str, words: dict[str, str]) -> Column:
    return Column(heading, field, Content.WORD, NAME_MAX, 14, words)


_KEY = _text(KEY, "key", KEY_MAX, 8)
_CREDIT_CODE = Column("统一社会信用代码", "credit_code", Content.CREDIT_CODE, 18, 24)

PROJECTS = Sheet(
    "项目",
    (
        _KEY,
        _text("项目名称", "title", TITLE_MAX, 44),
        _word("项目级别", "level", LEVELS),
        _word("申报类别", "category", CATEGORIES),
        _text("牵头单位", "lead_name"),
        _word("单位性质", "lead_kind", LEAD_KINDS),
        msgspec.structs.replace(_CREDIT_CODE, field="lead_credit_code"),
        Column("项目概要", "summary", Content.LONG_TEXT, SUMMARY_MAX, 50),
        *(Column(title, section, Content.LONG_TEXT, SECTION_MAX, 60) for section, title in SECTIONS.items()),
    ),
    1,
    True,
)
PARTNERS = Sheet(
    "合作单位",
    (_KEY, _text("单位名称", "name"), _word("单位性质", "kind", PARTNER_KINDS), _CREDIT_CODE),
    PARTNERS_MAX,
    False,
)
TEAM = Sheet("项目团队", (_KEY, _text("姓名", "name", width=20), _text("职责", "role", width=50)), TEAM_MAX, True)
BUDGET = Sheet(
    "经费预算",
    (
        _KEY,
        _text("支出项目", "spending"),
        Column("金额（元）", "amount", Content.AMOUNT, 20, 16),
        _text("测算依据", "basis", width=44),
    ),
    BUDGET_LINES_MAX,
    True,
)
TARGETS = Sheet(
    "项目目标",
    (
        _KEY,
        _text("目标", "target", width=44),
        _text("衡量方式", "measure", width=44),
        Column("完成时间", "due", Content.DAY, 10, 14),
    ),
    TARGETS_MAX,
    True,
)
SHEETS = (PROJECTS, PARTNERS, TEAM, BUDGET, TARGETS)
INSTRUCTIONS = "填写说明"

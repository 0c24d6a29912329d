"""Chinese names of the codes that rules and candidates use; templates translate them, the workbook takes them as is."""

from collections.abc import Callable

from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS, SECTIONS

OUTCOMES = {"selected": "入选", "reserve": "备选", "": ""}
LINKS = {"experts": "专家得分", "votes": "票数", "lots": "抽签"}

# Keys of an application as the registry tells it, in the order in which they are read.
APPLICATION = {
    **SECTIONS,
    "lead": "申报主体",
    "partners": "联合申报",
    "team": "团队",
    "budget": "预算",
    "targets": "目标",
    "name": "名称",
    "kind": "类型",
    "credit_code": "统一社会信用代码",
    "role": "分工",
    "line": "科目",
    "basis": "测算依据",
    "amount": "金额（元）",
    "target": "目标",
    "measure": "衡量方式",
    "due": "完成时间",
    **LEAD_KINDS,
    **PARTNER_KINDS,
}


def _as_is(text: str) -> str:
    return text


def group_name(group: str, translate: Callable[[str], str] = _as_is) -> str:
    """`level=major;category=culture` as people say it; an unknown value stands as it is."""
    if group == "all":
        return translate("全部项目")
    known = LEVELS | CATEGORIES
    values = (pair.partition("=")[2] for pair in group.split(";"))
    return " · ".join(translate(known[value]) if value in known else value for value in values)


def group_order(group: str) -> tuple[tuple[int, str], ...]:
    """Sorts groups as people list them: major before key before general, then by name."""
    known = list(LEVELS | CATEGORIES)
    values = (pair.partition("=")[2] for pair in group.split(";"))
    return tuple((known.index(value) if value in known else len(known), value) for value in values)


def outcome_name(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome)

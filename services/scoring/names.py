"""Chinese names of the codes that rules and candidates use; templates translate them, the workbook takes them as is."""

from collections.abc import Callable

LEVELS = {"major": "重大项目", "key": "重点项目", "general": "一般项目"}
CATEGORIES = {
    "party_building": "党建引领",
    "democratic_consultation": "民主协商",
    "social_collaboration": "社会协同",
    "culture": "文化形塑",
    "resident_autonomy": "居民自治",
    "community_building": "社区营造",
    "mass_prevention": "群防群治",
    "other": "其他",
}
OUTCOMES = {"selected": "入选", "reserve": "备选", "": ""}
LINKS = {"experts": "专家得分", "votes": "票数", "lots": "抽签"}
EVENTS = {
    "frozen": "规则冻结",
    "lots_revealed": "公布抽签种子",
    "extension": "投票延长",
    "withdrawal": "项目退出",
    "closed": "提前结束",
    "published": "公布结果",
    "numbers_drawn": "抽签定号",
}

# Keys of an application as the registry tells it, in the order in which they are read.
APPLICATION = {
    "need_analysis": "服务需求分析",
    "work_plan": "工作计划",
    "innovation_analysis": "创新性分析",
    "contingencies": "突发情况预测及应对机制",
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
    "party_government": "党政机关",
    "public_institution": "事业单位",
    "enterprise": "企业",
    "community": "社区",
    "village": "村",
    "university": "高校",
    "research_institute": "科研机构",
    "social_organisation": "社会组织",
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

"""The ranking as a document to print and file: rows by group, what it rests on, the statistics in sentences. Pure.

The same ranking gives the same bytes. A large one takes seconds: call it from a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from services.scoring.exports.columns import WIDTHS, texts_of
from services.scoring.names import group_name
from services.shared.ranking.numbers import print_number
from services.shared.typesetting.pdf import coded, typeset
from services.shared.typesetting.version_code import version_code

_TEMPLATE = Path(__file__).with_name("ranking.typ")
_HEADINGS = [heading for heading in WIDTHS if heading not in ("组别", "项目编码")]
_READINGS = {
    "undefined": "无法判断", "poor": "差", "moderate": "中等", "good": "好", "excellent": "很好", "very_weak": "很弱",
    "weak": "弱", "strong": "强", "very_strong": "很强", "unreliable": "不可靠", "tentative": "可参考",
    "reliable": "可靠",
}  # fmt: skip
_VARIANTS = {
    "votes_weight": "投票权重改为 {value}",
    "without_expert": "去掉一位专家（{value}）",
    "aggregate": "专家分改用 {value} 汇总",
    "leader_doubled": "{value} 的票数加倍",
    "excluded_counted": "计入被剔除的选票（{value} 个选择）",
}
_AGGREGATES = {"mean": "平均分", "trimmed_mean": "去掉最高最低后的平均分", "median": "中位数"}


def ranking_pdf(
    facts: Sequence[tuple[str, str]],
    rows: Sequence[Mapping[str, Any]],
    criteria: Mapping[str, str],
    statistics: Mapping[str, Any] | None,
    *,
    digest: str,
    day: date,
    is_public: bool,
) -> bytes:
    """`facts` as in the workbook, the first the title; `statistics` None where they are not made (yet)."""
    groups: dict[str, list[list[str]]] = {}
    titles = {row["candidate"]: row["title"] for row in rows}
    for row in rows:
        cells = texts_of(row, criteria)
        groups.setdefault(row["group"], []).append([cells[heading] for heading in _HEADINGS])
    title, version = facts[0][1], facts[1][1]
    values = {
        "document_title": f"{title}：综合排名第{version}版",
        "document_author": title,
        "title": title,
        "version": version,
        "is_public": is_public,
        "facts": [[name, _in_groups(value)] for name, value in facts[1:]],
        "headings": _HEADINGS,
        "groups": [{"heading": group_name(group), "rows": own} for group, own in groups.items()],
        "statistics": [] if statistics is None else list(_sentences(statistics, titles)),
        "has_statistics": statistics is not None,
    }
    code = version_code(digest.encode())
    return typeset(_TEMPLATE, day, coded(code, f"综合排名第{version}版　排名摘要 {digest[:16]}…", values))


def _in_groups(value: str) -> str:
    """A digest in two parts, so that a column can break it."""
    return f"{value[:32]} {value[32:]}" if len(value) == 64 and value.isalnum() else value


def _sentences(statistics: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    """What the statistics say, a sentence each; the whole document is published beside the ranking."""
    for each in statistics["agreement"]:
        if each["criterion"] == "":
            yield f"{group_name(each['group'])}：专家一致性 {_agreement(each)}。"
    for each in statistics["weights"]:
        if each["part"] in ("votes", "experts") and each["effective"] is not None:
            part = "投票" if each["part"] == "votes" else "专家"
            apart = "，两者相差超过三分之一" if each["apart"] else ""
            yield f"{part}的名义权重 {_percent(each['nominal'])}，实际权重 {_percent(each['effective'])}{apart}。"
    intervals = statistics["intervals"]
    pairs = len(intervals["not_separable"])
    yield f"重新抽样 {intervals['draws']:,} 次：有 {pairs:,} 对项目的先后次序不能由这些分数和票数区分。"
    for variant in statistics["sensitivity"]:
        yield f"{_variant(variant, titles)}。"
    yield f"偏离预期较大的评分有 {len(statistics['outlying']):,} 个，均保留计入，未作删除。"


def _agreement(each: Mapping[str, Any]) -> str:
    named = {"组内相关系数 ICC(A,k)": "icc", "肯德尔和谐系数 W": "kendall", "克里彭多夫 α": "alpha"}
    values = {"icc": each["icc_a_k"], "kendall": each["kendall_w"], "alpha": each["alpha"]}
    told = [
        f"{name} {_number(values[key])}（{_READINGS[each[f'{key}_reading']]}）"
        for name, key in named.items()
        if values[key] is not None
    ]
    return "、".join(told) if told else "无法计算（共同评分的专家或项目太少）"


def _variant(each: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    words = titles if each["kind"] == "leader_doubled" else _AGGREGATES
    value = words.get(each["value"], each["value"])
    what = _VARIANTS[each["kind"]].format(value=value)
    if each["refused"]:
        return f"{what}：规则不允许这样计算"
    moved = sum(move["place"] != move["place_then"] for move in each["moves"])
    decided = sum(move["outcome"] != move["outcome_then"] for move in each["moves"])
    if not moved and not decided:
        return f"{what}：名次和结果都不变"
    return f"{what}：{moved:,} 个项目名次变化，{decided:,} 个项目入选结果变化"


def _number(text: str) -> str:
    return print_number(Fraction(text), 2, "half_up")


def _percent(text: str) -> str:
    return f"{print_number(Fraction(text) * 100, 1, 'half_up')}%"

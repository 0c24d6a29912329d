"""The columns of a printed or tabled ranking: one heading and one width each, the same in workbook and PDF. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.scoring.names import LINKS, group_name, outcome_name

Row = Mapping[str, Any]

# Heading → width of the workbook's column, in characters.
WIDTHS = {
    "组别": 18,
    "名次": 6,
    "编号": 6,
    "项目编码": 10,
    "项目名称": 48,
    "申报单位": 30,
    "票数": 10,
    "投票得分": 10,
    "专家得分": 10,
    "总分": 10,
    "并列决定项": 12,
    "结果": 8,
}
NUMBERS = {"名次": "place", "编号": "number", "票数": "votes"} | {
    "投票得分": "vote_points",
    "专家得分": "expert_points",
    "总分": "total",
}


def texts_of(row: Row, criteria: Mapping[str, str]) -> dict[str, str]:
    """Every cell of a row as text, by heading; `criteria` are titles by identifier. What is not given is empty."""
    link = row["tie_break"]
    named = (
        criteria.get(link.removeprefix("criterion:"), link) if link.startswith("criterion:") else LINKS.get(link, link)
    )
    told = {
        "组别": group_name(row["group"]),
        "项目编码": row["candidate"],
        "项目名称": row["title"],
        "申报单位": row["unit"],
        "并列决定项": named,
        "结果": outcome_name(row["outcome"]),
    }
    told |= {heading: "" if row[key] is None else str(row[key]) for heading, key in NUMBERS.items()}
    return {heading: told[heading] for heading in WIDTHS}


def titles_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Titles of the criteria by identifier."""
    return {each["criterion"]: each["title"] or each["criterion"] for each in body["criteria"]}

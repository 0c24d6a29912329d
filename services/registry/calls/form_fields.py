"""The editor form of rules.toml: its sections and fields, with the words that people know them by. Pure data.

A field's name is its path in the file, so that form and file speak of the same thing; choices come from the rules' own
types, so that a new one cannot be forgotten here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from services.shared.ranking import model
from services.shared.ranking.numbers import Rounding
from services.shared.vocabulary import CHANNEL_KINDS, LEVELS


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` is text, number, decimal, moment, choice, or words (a list on one line)."""

    path: str
    label: str
    kind: str = "text"
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading; `rows` names the list of tables that is edited as rows."""

    key: str
    title: str
    fields: tuple[Field, ...]
    hint: str = ""
    rows: str = ""


_NAMES = {
    "round": "整个评选一次", "day": "每天一次", "phone": "手机号码", "phone_and_id": "手机号码和身份证",
    "none": "不做", "z_score": "标准分", "additive": "加法模型", "mean": "平均", "trimmed_mean": "去掉最高最低后平均",
    "median": "中位数", "sum": "合计", "rank_points": "名次积分", "criterion_first": "先按标准汇总",
    "sheet_first": "先按评分表汇总", "raw": "原始票数", "share": "得票率", "linear_to_max": "按最高者线性折算",
    "log_to_max": "按最高者对数折算", "percentile": "百分位", "t_score": "T 分数",
    "t_score_log": "票数取对数后的 T 分数",
    "all": "全部", "selected": "只公布入选的", "totals": "各项目票数", "ballots": "每张匿名选票", "include": "都入选",
    "exclude": "都不入选", "half_up": "四舍五入", "half_even": "四舍六入五成双", "stratum": "分层", "average": "平均",
    "best": "取最好", "declared": "投票人自报", "phone_region": "号码归属地",
}  # fmt: skip


def _choices(kind: Any) -> tuple[tuple[str, str], ...]:
    return tuple((word, _NAMES[word]) for word in get_args(kind))


def _of(owner: Any, name: str) -> tuple[tuple[str, str], ...]:
    return _choices(owner.__annotations__[name])


_WINDOWS = (
    ("application", "申报"), ("recommendation", "推荐"), ("voting", "网络投票"), ("scoring", "专家评审"),
)  # fmt: skip
SECTIONS = (
    Section("round", "名称", (
        Field("round.title", "名称"), Field("round.timezone", "时区", hint="例如 Asia/Shanghai"),
    )),
    Section("windows", "时间安排", tuple(
        Field(f"windows.{name}.{end}", f"{title}{word}", "moment")
        for name, title in _WINDOWS for end, word in (("opens", "开始"), ("closes", "截止"))
    ), "截止的那一刻已不在时间内；以系统收到的时间为准。"),
    Section("days", "办理期限", (
        Field("windows.review_working_days", "初审（工作日）", "number"),
        Field("windows.appeal_working_days", "复核申请（工作日）", "number"),
        Field("windows.objection_working_days", "公示（工作日）", "number"),
        Field("windows.hold_decision_working_days", "存疑选票的决定（工作日）", "number", "过期没有决定的自动恢复。"),
    )),
    Section("quotas", "推荐名额", tuple(
        Field(f"quotas.{kind}", name, "number", "留空是不限。") for kind, name in CHANNEL_KINDS.items()
    )),
    Section("ballot", "选票", (
        Field("ballot.choices_min", "最少选几个", "number"), Field("ballot.choices_max", "最多选几个", "number"),
        Field("ballot.group_max", "每组最多几个", "number", "0 是不限。"),
        Field("ballot.channels_min", "至少来自几个渠道", "number", "0 是不限。"),
        Field("ballot.per", "每人可以投", "choice", choices=_of(model.BallotRule, "per")),
        Field("ballot.identity", "怎样核对身份", "choice", choices=_of(model.BallotRule, "identity")),
    )),
    Section("outage", "故障延长", (
        Field("outage.success_below", "成功率低于", "decimal", "例如 0.9"),
        Field("outage.for_minutes", "持续多少分钟", "number"),
        Field("outage.within_last_hours", "在截止前多少小时内", "number"),
        Field("outage.extend_minutes", "延长多少分钟", "number"),
    ), "都留空就不自动延长；冻结之后任何人都不能延长。"),
    Section("criteria", "评审标准", (
        Field("id", "代码"), Field("title", "名称"), Field("weight", "权重", "decimal"),
        Field("min", "最低分", "decimal"), Field("max", "最高分", "decimal"), Field("step", "步长", "decimal"),
    ), "权重原样使用，通常加起来是 1。", rows="criteria"),
    Section("experts", "专家评分怎样汇总", (
        Field("experts.aggregate", "汇总方法", "choice", choices=_choices(model.Aggregate)),
        Field("experts.order", "汇总次序", "choice", choices=_choices(model.Order)),
        Field("experts.adjust", "评分尺度校正", "choice", choices=_choices(model.Adjust)),
        Field("experts.trim_low", "去掉几个最低分", "number"), Field("experts.trim_high", "去掉几个最高分", "number"),
        Field("experts.panel_min", "少于几份评分时改用", "number"),
        Field("experts.fallback", "改用的方法", "choice", choices=_choices(model.Fallback)),
        Field("experts.aggregate_decimals", "汇总保留小数", "number"),
        Field("experts.component_decimals", "加权后保留小数", "number"),
    )),
    Section("votes", "票数怎样折算", (
        Field("votes.transform", "折算方法", "choice", choices=_choices(model.VoteTransform)),
        Field("votes.cap", "单个项目最多占本组票数", "decimal", "例如 0.25，留空是不限。"),
        Field("votes.decimals", "保留小数", "number"),
    )),
    Section("combination", "综合", (
        Field("combination.votes", "网络投票的权重", "decimal"),
        Field("combination.experts", "专家评审的权重", "decimal"),
        Field("combination.experts_transform", "专家得分折算", "choice", choices=_choices(model.ExpertsTransform)),
        Field("combination.experts_decimals", "专家得分保留小数", "number"),
        Field("combination.decimals", "总分保留小数", "number"),
        Field("combination.rounding", "取舍", "choice", choices=_choices(Rounding)),
        Field("combination.tie_break", "同分时依次比较", "words", "experts、criteria、votes、lots，用空格隔开。"),
    )),
    Section("selection", "分组和入选", (
        Field("groups.by", "按什么分组排名", "words", "level、category、channel（级别、类别、渠道），留空不分组。"),
        *(Field(f"selection.places.{level}", f"{name}名额", "number") for level, name in LEVELS.items()),
        Field("selection.places.all", "不分级别时的名额", "number"),
        Field("selection.reserve", "每组候补几个", "number"), Field("selection.floor", "最低总分", "decimal"),
        Field("selection.tie_at_cut", "名额线上同分的", "choice", choices=_of(model.Selection, "tie_at_cut")),
    )),
    Section("publication", "公布", (
        Field("publication.ranking", "公布哪些名次", "choice", choices=_of(model.Publication, "ranking")),
        Field("publication.ballots", "公布的投票数据", "choice", choices=_of(model.Publication, "ballots")),
        Field("publication.small_group_min", "少于几票的分层合并", "number"),
    )),
)  # fmt: skip
CHANNELS = (
    Section("channels", "推荐渠道", (
        Field("id", "代码"), Field("name", "名称"),
        Field("kind", "类别", "choice", choices=tuple(CHANNEL_KINDS.items())),
    ), "县（市）区和开发（度假）区推荐本地的申报；市级单位直接申报。", rows="channels"),
)  # fmt: skip
FORMS = {"rules.toml": SECTIONS, "channels.toml": CHANNELS}


def value_at(fields: Mapping[str, Any], path: str, zone: ZoneInfo) -> str:
    """What stands in a field of the form: a moment in the call's own time zone, a list on one line."""
    value: Any = fields
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def rows_at(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The tables of a list, one more and empty where there is none."""
    found = fields.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) and found else [{}]

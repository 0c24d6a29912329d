"""The daily report (每日情况) of a round from what each service tells: turnout, holds, progress, events, what is due.

Pure. Invariant: nothing in it tells a candidate, a unit or a channel from another; there is no place for a ranking.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.registry.documents.forms import DailyReport, ReportFigure
from services.registry.rounds.neighbours import RoundElsewhere
from services.registry.rounds.steps import Step, StepState
from services.registry.rounds.views import Round
from services.shared.clock import day_in
from services.shared.vocabulary import EVENTS

UNKNOWN = "未取得"
_AWAY = "该服务暂时没有答复，请稍后重新下载。"
REHEARSAL = "（演练）"


def daily_report(
    round_: Round, elsewhere: RoundElsewhere, steps: Sequence[Step], office: str, now: datetime
) -> DailyReport:
    """The report of `now`'s day in the round's own time zone."""
    today = day_in(now, round_.timezone)
    marked = REHEARSAL if round_.rehearsal and REHEARSAL not in round_.title else ""
    return DailyReport(
        round_title=f"{round_.title}{marked}", issuing_office=office, reported_on=today,
        figures=(*_voting(round_, elsewhere, today), *_scoring(elsewhere), _candidates(round_)),
        events=tuple(_events(round_, today)), due_next=tuple(_due(steps, round_.timezone)),
    )  # fmt: skip


def _voting(round_: Round, elsewhere: RoundElsewhere, today: date) -> list[ReportFigure]:
    if round_.voting_opens_at is None:
        return []
    state = elsewhere.voting
    if state is None:
        return [ReportFigure("参与投票人数", UNKNOWN, _AWAY)]
    ballots = state.get("ballots") or {}
    figures = [
        ReportFigure("参与投票人数", _people(state.get("turnout", 0)), _busiest(state, round_.timezone, today)),
        ReportFigure("其中今日", _people(_of_day(state, round_.timezone, today))),
    ]
    for key, name, note in (
        ("held", "正在核查的选票", "作出决定之前不计入。"),
        ("excluded", "已排除的选票", "由两人决定，公布时说明原因。"),
        ("restored", "核查后恢复的选票", ""),
    ):
        figures.append(ReportFigure(name, f"{ballots.get(key, 0):,}张", note))
    return [*figures, *_holds(elsewhere)]


def _holds(elsewhere: RoundElsewhere) -> list[ReportFigure]:
    if elsewhere.holds is None:
        return [ReportFigure("待决定的核查", UNKNOWN, "没有权限查看，或者服务暂时没有答复。")]
    waiting = [each for each in elsewhere.holds if each.get("state") == "held"]
    second = [each for each in waiting if each.get("decided_by") and not each.get("confirmed_by")]
    due = min((str(each["due_on"]) for each in waiting if each.get("due_on")), default="")
    note = f"最早的应在{due}前决定；{len(second)}项等第二人确认。" if due else ""
    return [ReportFigure("待决定的核查", f"{len(waiting)}项", note)]


def _of_day(state: dict[str, Any], timezone: str, day: date) -> int:
    return sum(voters for hour, voters in _hours(state, timezone) if hour.date() == day)


def _busiest(state: dict[str, Any], timezone: str, today: date) -> str:
    hours = [(voters, hour) for hour, voters in _hours(state, timezone) if hour.date() == today]
    if not hours:
        return ""
    voters, hour = max(hours)
    return f"今日{hour:%H}时至{(hour.hour + 1) % 24:02d}时最多，{voters:,}人。"


def _hours(state: dict[str, Any], timezone: str) -> list[tuple[datetime, int]]:
    zone = ZoneInfo(timezone)
    return [
        (datetime.fromisoformat(each["hour"]).astimezone(zone), int(each["voters"]))
        for each in state.get("turnout_by_hour", [])
    ]


def _scoring(elsewhere: RoundElsewhere) -> list[ReportFigure]:
    if elsewhere.scoring is None:
        return [ReportFigure("专家评分进度", UNKNOWN, _AWAY)]
    panel = elsewhere.scoring.get("panel") or []
    assigned, submitted, recused = (
        sum(int(each.get(key, 0)) for each in panel) for key in ("assigned", "submitted", "recused")
    )
    behind = sum(int(each.get("submitted", 0)) + int(each.get("recused", 0)) < int(each["assigned"]) for each in panel)
    note = f"专家{len(panel)}人，{behind}人还没有评完；回避{recused:,}张。" if panel else "还没有专家评分。"
    return [ReportFigure("专家评分进度", f"{submitted + recused:,}/{assigned:,}张", note)]


def _candidates(round_: Round) -> ReportFigure:
    gone = sum(card.withdrawn_at is not None for card in round_.candidates)
    return ReportFigure("候选项目", f"{len(round_.candidates) - gone:,}个", f"另有{gone}个已退出。" if gone else "")


def _events(round_: Round, today: date) -> list[str]:
    """Today's public events; their details may name candidates, and are left to the event list."""
    zone = ZoneInfo(round_.timezone)
    return [
        f"{each.at.astimezone(zone):%H:%M}　{EVENTS.get(each.event, each.event)}"
        for each in round_.public_events
        if each.at.astimezone(zone).date() == today
    ]


def _due(steps: Sequence[Step], timezone: str) -> list[str]:
    """What is late, what goes on, and the next step with a date."""
    zone = ZoneInfo(timezone)
    lines = []
    for step in steps:
        ends = f"，{step.closes.astimezone(zone):%Y-%m-%d %H:%M}止" if step.closes else ""
        if step.state is StepState.LATE:
            lines.append(f"{step.title}：已逾期{ends}")
        elif step.state is StepState.NOW:
            lines.append(f"{step.title}：进行中{ends}")
        elif step.state is StepState.COMING and step.opens:
            lines.append(f"{step.title}：{step.opens.astimezone(zone):%Y-%m-%d %H:%M}开始")
    return lines


def _people(count: int) -> str:
    return f"{count:,}人"

"""The eleven steps of a round (申报评选活动), where it stands among them, and what is late. Pure.

One timeline serves a call and the round it becomes: what a round does not have is `absent`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StepState(StrEnum):
    """Where a step stands; `absent`: the rules do not have it."""

    DONE = "done"
    NOW = "now"
    LATE = "late"
    COMING = "coming"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Span:
    """A window, half-open; either end may be unknown."""

    opens: datetime | None
    closes: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `note` is a sentence with a place {n} for `count`, empty where nothing is to be said."""

    key: str
    title: str
    state: StepState
    opens: datetime | None = None
    closes: datetime | None = None
    note: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the steps are told from. Counts are of what is open; times are None where they are not known or not yet.

    `review_due`: when the first open review is due; `windows`: by name as the rules have them, the vote's end as it is.
    """

    windows: dict[str, Span]
    announced: bool = True
    frozen: bool = False
    unsent_channels: int = 0
    undecided: int = 0
    review_due: datetime | None = None
    votes_count: bool = True
    experts_count: bool = True
    ranked: bool = False
    notice_closes: datetime | None = None
    unsettled_objections: int = 0
    overdue_objections: int = 0
    confirmed_at: datetime | None = None
    projects: int = 0
    settled: int = 0
    granted: int = 0


TITLES = {
    "application": "申报", "recommendation": "推荐", "review": "初审", "voting": "网络投票", "scoring": "专家评审",
    "combination": "综合", "list": "复核与建议名单", "notice": "公示", "confirmation": "会议研究确定",
    "management": "实施与管理", "subsidy": "补助",
}  # fmt: skip


def steps(facts: Facts, now: datetime) -> list[Step]:
    """The steps in their order."""
    return [
        _window("application", facts, now),
        _recommendation(facts, now),
        _review(facts, now),
        _window("voting", facts, now),
        _window("scoring", facts, now),
        *_result(facts, now),
        *_projects(facts),
    ]


def current(found: list[Step]) -> Step | None:
    """The step a person should look at: what is late first, then what goes on, then what comes."""
    for state in (StepState.LATE, StepState.NOW, StepState.COMING):
        step = next((each for each in found if each.state is state), None)
        if step is not None:
            return step
    return None


def _step(key: str, state: StepState, span: Span | None = None, note: str = "", count: int = 0) -> Step:
    return Step(key, TITLES[key], state, span.opens if span else None, span.closes if span else None, note, count)


def _of_span(span: Span | None, now: datetime) -> StepState:
    if span is None:
        return StepState.ABSENT
    if span.opens is not None and now < span.opens:
        return StepState.COMING
    return StepState.NOW if span.closes is None or now < span.closes else StepState.DONE


def _window(key: str, facts: Facts, now: datetime) -> Step:
    span = facts.windows.get(key)
    state = _of_span(span, now)
    if state is not StepState.ABSENT and not facts.announced:
        return _step(key, StepState.COMING, span)
    return _step(key, state, span)


def _recommendation(facts: Facts, now: datetime) -> Step:
    step = _window("recommendation", facts, now)
    if step.state is StepState.DONE and facts.unsent_channels and not facts.frozen:
        span = facts.windows["recommendation"]
        return _step("recommendation", StepState.LATE, span, "{n} 个推荐渠道没有上报", facts.unsent_channels)
    return step


def _review(facts: Facts, now: datetime) -> Step:
    if facts.frozen:
        # A folder that was loaded had its reviews elsewhere.
        return _step("review", StepState.DONE if "recommendation" in facts.windows else StepState.ABSENT)
    before = facts.windows.get("recommendation")
    if before is None or before.closes is None or now < before.closes or not facts.announced:
        return _step("review", StepState.COMING, Span(before.closes if before else None, None))
    if not facts.undecided:
        return _step("review", StepState.NOW, None, "初审已全部作出决定，可以冻结规则")
    late = facts.review_due is not None and facts.review_due <= now
    state = StepState.LATE if late else StepState.NOW
    return _step("review", state, Span(before.closes, facts.review_due), "{n} 份申报没有作出决定", facts.undecided)


def _result(facts: Facts, now: datetime) -> list[Step]:
    """Combination, list, notice, confirmation: each begins when the one before is done."""
    if not facts.ranked:
        waits = facts.frozen and all(
            _of_span(facts.windows.get(name), now) in (StepState.DONE, StepState.ABSENT)
            for name in ("voting", "scoring")
        )
        first = _step("combination", StepState.NOW if waits else StepState.COMING)
        return [first, *(_step(key, StepState.COMING) for key in ("list", "notice", "confirmation"))]
    done = [_step("combination", StepState.DONE), _step("list", StepState.DONE)]
    notice = _notice(facts, now)
    if facts.confirmed_at is not None:
        confirmed = Span(facts.confirmed_at, None)
        return [*done, _step("notice", StepState.DONE), _step("confirmation", StepState.DONE, confirmed)]
    waits = notice.state is StepState.DONE
    return [*done, notice, _step("confirmation", StepState.NOW if waits else StepState.COMING)]


def _notice(facts: Facts, now: datetime) -> Step:
    span = Span(None, facts.notice_closes)
    if facts.overdue_objections:
        return _step("notice", StepState.LATE, span, "{n} 件异议超过了答复期限", facts.overdue_objections)
    if facts.notice_closes is not None and now < facts.notice_closes:
        return _step("notice", StepState.NOW, span, "{n} 件异议没有办结", facts.unsettled_objections)
    if facts.unsettled_objections:
        return _step("notice", StepState.NOW, span, "{n} 件异议没有办结", facts.unsettled_objections)
    return _step("notice", StepState.DONE, span)


def _projects(facts: Facts) -> list[Step]:
    if not facts.projects:
        waits = facts.confirmed_at is not None
        state = StepState.NOW if waits else StepState.COMING
        return [_step("management", state), _step("subsidy", StepState.COMING)]
    settled = facts.settled >= facts.projects
    managed = _step(
        "management", StepState.DONE if settled else StepState.NOW, None, "{n} 个项目没有结清",
        facts.projects - facts.settled,
    )  # fmt: skip
    granted = StepState.DONE if facts.granted >= facts.projects and settled else StepState.NOW
    return [managed, _step("subsidy", granted, None, "{n} 个项目已批准补助", facts.granted)]

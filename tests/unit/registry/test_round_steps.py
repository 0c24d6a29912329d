"""Where a round stands among its eleven steps, and what the daily report says of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from services.registry.rounds.daily_report import UNKNOWN, daily_report
from services.registry.rounds.neighbours import RoundElsewhere
from services.registry.rounds.steps import Facts, Span, StepState, current, steps
from services.registry.rounds.views import Round
from services.shared.messages import CandidateCard, RoundEvent

NOW = datetime(2020, 10, 20, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def span(first: int, last: int) -> Span:
    """A window by days from now."""
    return Span(NOW + first * DAY, NOW + last * DAY)


WINDOWS = {
    "application": span(-30, -20), "recommendation": span(-15, -10), "voting": span(-1, 3), "scoring": span(5, 9),
}  # fmt: skip


def states(facts: Facts) -> list[str]:
    return [str(each.state) for each in steps(facts, NOW)]


def test_a_round_in_its_vote_has_done_what_came_before() -> None:
    assert states(Facts(WINDOWS, frozen=True)) == ["done", "done", "done", "now", *["coming"] * 7]


def test_a_call_is_late_where_channels_did_not_send_and_where_reviews_are_overdue() -> None:
    late = steps(Facts(WINDOWS, unsent_channels=2), NOW)
    assert (late[1].state, late[1].count) == (StepState.LATE, 2)
    waiting = steps(Facts(WINDOWS, undecided=3, review_due=NOW + DAY), NOW)
    assert (waiting[2].state, waiting[2].closes) == (StepState.NOW, NOW + DAY)
    overdue = steps(Facts(WINDOWS, undecided=3, review_due=NOW), NOW)
    found = current(overdue)
    assert found is not None
    assert (found.key, found.state) == ("review", StepState.LATE)


def test_a_draft_has_begun_nothing() -> None:
    assert set(states(Facts(WINDOWS, announced=False))) == {"coming"}


def test_what_the_rules_do_not_have_is_absent() -> None:
    found = states(Facts({"voting": span(-3, -1)}, frozen=True))
    assert found[:5] == ["absent", "absent", "absent", "done", "absent"]
    assert found[5] == "now"


def test_the_result_goes_on_step_by_step() -> None:
    over = {"voting": span(-9, -5)}
    notice = Facts(over, frozen=True, ranked=True, notice_closes=NOW + DAY)
    assert states(notice)[5:9] == ["done", "done", "now", "coming"]
    objected = replace(notice, notice_closes=NOW - DAY, unsettled_objections=1)
    assert states(objected)[7:9] == ["now", "coming"]
    assert states(replace(objected, overdue_objections=1))[7] == "late"
    assert states(replace(notice, notice_closes=NOW))[7:9] == ["done", "now"]
    confirmed = replace(notice, confirmed_at=NOW, projects=2, settled=1, granted=1)
    assert states(confirmed)[7:] == ["done", "done", "now", "now"]
    assert states(replace(confirmed, settled=2, granted=2))[9:] == ["done", "done"]


def a_round(**changes: object) -> Round:
    card = CandidateCard(
        candidate="c1", number=7, title="楼道书架", unit="翠湖社区", channel="wuhua", category="culture", level="key",
        summary="",
    )  # fmt: skip
    made = Round(
        round="small", version=1, title="小评选", timezone="Asia/Shanghai", digest="d", rules="", consent="1",
        number_seed="", number_commitment="", rehearsal=False, open_for_s=None, voting_opens_at=NOW - DAY,
        voting_closes_at=NOW + DAY, frozen_at=NOW, warnings=[], candidates=[card], criteria=[], experts=[],
        events=[RoundEvent(NOW, "withdrawal", "c9: 自愿退出"), RoundEvent(NOW - 5 * DAY, "frozen", "d")], lots_seed="",
        list_version=0, ranking_version=0, closed_early_at=None, removed_at=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


VOTING = {
    "turnout": 1234, "ballots": {"recorded": 1200, "held": 30, "excluded": 4, "restored": 0},
    "turnout_by_hour": [
        {"hour": "2020-10-19T10:00:00Z", "voters": 1000}, {"hour": "2020-10-20T01:00:00+00:00", "voters": 34},
        {"hour": "2020-10-20T02:00:00+00:00", "voters": 200},
    ],
}  # fmt: skip
HOLDS = [{"state": "held", "due_on": "2020-10-23", "decided_by": "ann"}, {"state": "restored", "due_on": "2020-10-21"}]
SCORING = {"panel": [{"expert": "e1", "assigned": 3, "saved": 1, "submitted": 1, "recused": 1}]}


def test_the_report_counts_people_and_sheets_and_names_no_candidate() -> None:
    found = steps(Facts(WINDOWS, frozen=True), NOW)
    report = daily_report(a_round(), RoundElsewhere(VOTING, HOLDS, SCORING), found, "办公室", NOW)
    figures = {each.name: (each.value, each.note) for each in report.figures}
    assert figures["参与投票人数"] == ("1,234人", "今日10时至11时最多，200人。")
    assert figures["其中今日"][0] == "234人"
    assert figures["待决定的核查"] == ("1项", "最早的应在2020-10-23前决定；1项等第二人确认。")
    assert figures["专家评分进度"] == ("2/3张", "专家1人，1人还没有评完；回避1张。")
    assert report.events == ("12:00　项目退出",)
    assert report.due_next[0].startswith("网络投票：进行中")
    told = str(msgspec.to_builtins(report))
    assert not any(word in told for word in ("楼道书架", "翠湖", "c9"))


def test_the_report_says_what_it_could_not_learn_and_marks_a_rehearsal() -> None:
    report = daily_report(a_round(rehearsal=True), RoundElsewhere(None, None, None), [], "办公室", NOW)
    assert {each.value for each in report.figures if each.name != "候选项目"} == {UNKNOWN}
    assert report.round_title == "小评选（演练）"

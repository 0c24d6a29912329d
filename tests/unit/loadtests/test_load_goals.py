"""What decides a load run: goals, shapes, the comparison with the ledger, flatness, and where load may go."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadtests.load import goals, shapes
from loadtests.load.goals import BadGoals, Findings, Goals, LatencyGoal
from loadtests.load.loopback import NotLoopback, require_loopback
from loadtests.load.record import Latency, Record, Report, Step
from loadtests.load.scene import KUNMING, windows_moved
from loadtests.load.shapes import Shape
from loadtests.load.verdict import Recorded, compare, findings
from loadtests.trend import Bound, judge, slope
from services.shared.ranking.rules import parse_rules

GOOD = Findings(
    ballots=100, requests=1000, challenged=1, never={}, failures={"overloaded": 1},
    latencies={"ballot": Latency(100, 20, 50, 90, 120)},
)  # fmt: skip
WANTED = Goals(
    ballots_min=50, challenged_max_share=0.02, latency_ms={"ballot": LatencyGoal(p50=30, p99=100)},
    failures_max_share={"overloaded": 0.001},
)  # fmt: skip


def missed(found: Findings) -> list[str]:
    return goals.missed(goals.judge(WANTED, found))


def test_a_good_run_misses_nothing() -> None:
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"never": {"false_blocks": 1}}, "false_blocks: 1 times an honest person was turned away, none may"),
        ({"never": {"lost": 2}}, "lost: 2 acknowledged ballots are missing in the ledger, none may"),
        ({"ballots": 49, "challenged": 0}, "49 ballots were acknowledged, at least 50 are wanted"),
        ({"challenged": 3}, "challenged: 3.00% of 100 ballots were challenged, the goal is at most 2.00%"),
        ({"failures": {"overloaded": 2}}, "overloaded: 0.20% of 1000 honest requests were told overloaded, the goal"),
        ({"failures": {"internal": 1}}, "internal: 0.10% of 1000 honest requests were told internal, the goal is at"),
        (
            {"latencies": {"ballot": Latency(100, 20, 50, 101, 120)}},
            "ballot: p99 was 101 ms over 100 requests, the goal is at most 100 ms",
        ),
        ({"latencies": {}}, "ballot: nobody got so far, so that nothing was measured"),
    ],
)
def test_each_goal_that_is_missed_is_told_in_one_sentence(change: dict[str, object], sentence: str) -> None:
    (told,) = missed(msgspec.structs.replace(GOOD, **change))
    assert told.startswith(sentence)


def test_the_shipped_goals_can_be_read() -> None:
    assert goals.read(goals.GOALS).latency_ms["ballot"].p99 > 0


@pytest.mark.parametrize("text", ["latncy_ms = {}", "[latency_ms.balot]\np50 = 1", "ballots_min = 'x'", "= 1"])
def test_a_goals_file_with_a_mistake_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """A misspelt goal would otherwise be met by every run."""
    path = tmp_path / "goals.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadGoals, match=r"goals\.toml"):
        goals.read(path)


@pytest.mark.parametrize("shape", Shape)
def test_a_shape_stays_within_its_people_and_its_time(shape: Shape) -> None:
    counts = [shapes.people_at(shape, progress / 1000, 200) for progress in range(1000)]
    assert min(counts) >= 1
    assert max(counts) <= 200
    assert shapes.people_at(shape, 1.0, 200) == 0
    opens, closes = shapes.window(shape, 1000.0, 101.0)
    assert (opens, closes) == (int(opens), int(closes)), "rules have whole seconds"
    assert opens < closes
    assert (opens > 1000.0) == (shape is Shape.OPENING)
    assert (closes < 1101.0) == (shape is Shape.LAST_MINUTE)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://[::1]:80", "http://localhost:8000", "http://127.9.9.9"]
)
def test_load_may_go_to_this_machine(url: str) -> None:
    assert require_loopback(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "https://127.0.0.1",
        "http://example.org",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0",
        "",
    ],
)
def test_load_goes_nowhere_else(url: str) -> None:
    with pytest.raises(NotLoopback, match="this machine only"):
        require_loopback(url)


def report_of(record: Record) -> Report:
    return record.report({}, [])


def recorded(voter: bytes, ballot_id: str, receipt: str = "R", choices: str = "A B") -> Recorded:
    return Recorded(voter, ballot_id, receipt, choices.split())


def vote(record: Record, ballot_id: str, receipt: str = "R", at: float = 50.0) -> None:
    record.sending(ballot_id, ["B", "A"])
    record.acknowledged(ballot_id, receipt, at, at + 0.1, fresh=True)


def test_what_people_were_told_and_the_ledger_agree() -> None:
    record = Record(0, 100)
    vote(record, "a")
    record.sending("unknown", ["A", "B"])
    ledger = [recorded(b"1", "a"), recorded(b"2", "unknown")]
    assert set(compare(report_of(record), ledger).values()) == {0}


@pytest.mark.parametrize(
    ("ledger", "word"),
    [
        ([], "lost"),
        ([recorded(b"1", "a"), recorded(b"1", "b")], "doubled"),
        ([recorded(b"1", "a"), recorded(b"2", "a")], "doubled"),
        ([recorded(b"1", "a", "other")], "altered"),
        ([recorded(b"1", "a", choices="A C")], "altered"),
        ([recorded(b"1", "a"), recorded(b"2", "c")], "recorded_though_refused"),
        ([recorded(b"1", "a"), recorded(b"2", "z")], "not_sent"),
    ],
)
def test_each_difference_to_the_ledger_is_noticed(ledger: list[Recorded], word: str) -> None:
    record = Record(0, 100)
    vote(record, "a")
    for other in ("b", "c"):
        record.sending(other, ["A", "B"])
    record.refused("c")
    found = compare(report_of(record), ledger)
    assert {name for name, count in found.items() if count} == {word}


def test_other_receipts_and_ballots_outside_the_window_are_noticed() -> None:
    record = Record(10, 100)
    vote(record, "a")
    vote(record, "a", receipt="other")
    vote(record, "late", at=100.0)
    vote(record, "early", at=9.0)
    record.sending("in time", ["A"])
    record.acknowledged("in time", "R", 99.9, 100.5, fresh=True)
    report = report_of(record)
    assert (report.altered, report.out_of_window) == (1, 2)
    assert record.closed_rightly(99.9, 100.1)
    assert not record.closed_rightly(99.0, 99.9)


def test_a_lost_answer_is_no_refusal() -> None:
    """A ballot whose first try is still on its way may be recorded after a later try was told that it is closed."""
    record = Record(0, 100)
    record.unsure("a")
    record.refused("a")
    assert report_of(record).refused == []


def test_who_is_at_fault_for_a_refusal() -> None:
    """A wall before an honest person is a false block; a busy service is a failure; what bots are told is neither."""
    record = Record(0, 100)
    record.tell("expert", Step.QUEUE, "ok", wanted=True)
    record.tell("expert", Step.QUEUE, "too_many_attempts", wanted=False)
    record.tell("expert", Step.QUEUE, "overloaded", wanted=False)
    record.tell("expert", Step.QUEUE, "http_502", wanted=False)
    record.tell("citizen", Step.BALLOT, "already_voted", wanted=True)
    record.tell("bot", Step.BALLOT, "too_many_attempts", wanted=True)
    found = findings(report_of(record), {})
    assert (found.requests, found.never["false_blocks"]) == (5, 1)
    assert found.failures == {"overloaded": 1, "http_502": 1}


def test_a_slope_is_that_of_the_whole_and_not_of_an_outlier() -> None:
    assert slope([1, 2, 3, 4]) == 1
    assert slope([5, 5, 500, 5, 5]) == 0
    assert slope([7]) == 0


@pytest.mark.parametrize(
    ("values", "bound", "flat"),
    [
        ([100.0, 101, 99, 100], Bound(share=0.1), True),
        ([100.0, 110, 120, 130], Bound(share=0.1), False),
        ([100.0, 110, 120, 130], Bound(share=0.1, amount=30), True),
        ([130.0, 120, 110, 100], Bound(), True),
        ([1.0, 9, 1, 1], Bound(amount=1, highest=5), False),
    ],
)
def test_flat_means_within_the_bounds(values: list[float], bound: Bound, flat: bool) -> None:
    assert judge("memory", "MB", values, bound).flat is flat


def test_a_rounds_windows_are_moved_and_the_rest_of_its_rules_stays() -> None:
    rules = (KUNMING / "rules.toml").read_text("utf-8")
    moved = parse_rules(
        windows_moved(rules, "load-1", {"voting": (100.9, 200), "scoring": (90, 300)}).encode(), "rules"
    )
    before = parse_rules(rules.encode(), "rules")
    assert (moved.round.id, moved.ballot, moved.criteria) == ("load-1", before.ballot, before.criteria)
    assert moved.windows.voting is not None
    assert moved.windows.scoring is not None
    assert [each.timestamp() for each in (moved.windows.voting.opens, moved.windows.voting.closes)] == [100, 200]
    assert [each.timestamp() for each in (moved.windows.scoring.opens, moved.windows.scoring.closes)] == [90, 300]

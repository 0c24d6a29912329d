"""Marks, windows, progress and strata: the pure rules behind the sheets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.scoring.marks import missing, read_marks
from services.scoring.names import group_name, group_order
from services.scoring.progress import panel_progress, require_scored
from services.scoring.reasons import Reason
from services.scoring.records import SheetState, SheetStatus
from services.scoring.rounds import Round, read_round
from services.scoring.strata import merge_small
from services.shared.errors import Refusal
from services.shared.messages import encode
from services.shared.strata import merged_strata
from tests.support.rounds import round_message

OPENS = datetime(2020, 11, 2, 1, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=4)
RULES = f"""schema = 1
[round]
id = "small"
[windows]
scoring = {{ opens = {OPENS.isoformat()}, closes = {CLOSES.isoformat()} }}
[[criteria]]
id = "idea"
weight = "1"
min = "1"
max = "10"
step = "0.25"
[[criteria]]
id = "free"
weight = "1"
[combination]
experts = "1"
"""


def frozen(**changes: object) -> Round:
    return read_round(encode(msgspec.structs.replace(round_message(RULES, count=2), **changes)))


@pytest.mark.parametrize(
    ("written", "kept"),
    [("7.50", "7.5"), ("１０", "10"), ("  1.25 ", "1.25"), ("01", "1"), ("", None), ("  ", None), (None, None)],
)
def test_a_mark_is_kept_in_its_shortest_form(written: object, kept: str | None) -> None:
    assert read_marks({"idea": written}, frozen().criteria).get("idea") == kept


@pytest.mark.parametrize("written", ["0.75", "10.25", "1.3", "ten", "1e1", "+5", "5,5", "0x5", "1" * 40, 5, 5.0, ["5"]])
def test_anything_else_is_refused_with_its_criterion(written: object) -> None:
    with pytest.raises(Refusal) as refused:
        read_marks({"idea": written}, frozen().criteria)
    assert refused.value.reason is Reason.BAD_MARKS
    assert refused.value.extra == {"criterion": "idea"}


def test_a_criterion_without_maximum_and_step_takes_any_decimal_from_its_minimum() -> None:
    assert read_marks({"free": "1234.56789"}, frozen().criteria) == {"free": "1234.56789"}
    with pytest.raises(Refusal, match="0 or more"):
        read_marks({"free": "-0.5"}, frozen().criteria)
    assert missing({"free": "1"}, frozen().criteria) == ["idea"]


def test_the_window_is_half_open() -> None:
    round_ = frozen()
    almost = timedelta(microseconds=1)
    states = [round_.window_state(at).state for at in (OPENS - almost, OPENS, CLOSES - almost, CLOSES)]
    assert states == ["scheduled", "open", "open", "closed"]


@pytest.mark.parametrize(
    ("closed_at", "closes"),
    [(OPENS + timedelta(hours=1), OPENS + timedelta(hours=1)), (OPENS - timedelta(days=3), CLOSES), (CLOSES, CLOSES)],
)
def test_closing_early_ends_only_a_window_that_was_open(closed_at: datetime, closes: datetime) -> None:
    window = frozen(closed_early_at=closed_at).window()
    assert window is not None
    assert window.closes == closes


def statuses(*states: SheetState | None, experts: str = "ab") -> list[SheetStatus]:
    """States by expert, then candidate c1 and c2; None is a sheet never begun."""
    pairs = ((expert, candidate) for expert in experts for candidate in ("c1", "c2"))
    return [SheetStatus(c, e, state) for (e, c), state in zip(pairs, states, strict=True) if state is not None]


DRAFT, SUBMITTED, RECUSED = SheetState.DRAFT, SheetState.SUBMITTED, SheetState.RECUSED


@pytest.mark.parametrize(
    ("experts", "states", "now", "refused"),
    [
        (["a", "b"], (SUBMITTED, SUBMITTED, SUBMITTED, RECUSED), OPENS, None),
        (["a", "b"], (SUBMITTED, SUBMITTED, SUBMITTED, None), OPENS, Reason.SCORING_OPEN),
        (["a", "b"], (SUBMITTED, SUBMITTED, SUBMITTED, None), CLOSES, None),
        (["a", "b"], (SUBMITTED, SUBMITTED, SUBMITTED, DRAFT), OPENS, Reason.SHEET_OPEN),
        (["a", "b"], (SUBMITTED, SUBMITTED, SUBMITTED, DRAFT), CLOSES, Reason.SHEET_OPEN),
        (["a"], (SUBMITTED, SUBMITTED, DRAFT, None), OPENS, None),
        ([], (SUBMITTED, None, None, None), OPENS, None),
        ([], (RECUSED, None, None, None), OPENS, Reason.SCORING_OPEN),
        ([], (None, None, None, None), OPENS - timedelta(days=1), Reason.SCORING_OPEN),
        ([], (None, None, None, None), CLOSES, None),
    ],
)
def test_when_the_sheets_allow_a_ranking(
    experts: list[str], states: tuple[SheetState | None, ...], now: datetime, refused: Reason | None
) -> None:
    round_ = frozen(experts=experts)
    if refused is None:
        require_scored(round_, statuses(*states), now)
        return
    with pytest.raises(Refusal) as caught:
        require_scored(round_, statuses(*states), now)
    assert caught.value.reason is refused


def test_progress_counts_by_expert_and_leaves_strangers_and_withdrawn_out() -> None:
    cards = round_message(RULES, count=2).candidates
    gone = [cards[0], msgspec.structs.replace(cards[1], withdrawn_at=OPENS)]
    round_ = frozen(experts=["a"], candidates=gone)
    [progress] = panel_progress(round_, statuses(DRAFT, SUBMITTED, SUBMITTED, None))
    assert (progress.expert, progress.assigned, progress.saved, progress.submitted) == ("a", 1, 1, 0)


@pytest.mark.parametrize(
    ("ballots", "merged"),
    [
        ({"a": 20, "b": 30}, {""}),
        ({"a": 19, "b": 30}, {"", "a", "b"}),
        ({"a": 19, "b": 30, "c": 40}, {"", "a", "b"}),
        ({"a": 10, "b": 11, "c": 40}, {"", "a", "b"}),
        ({"": 5, "a": 50, "b": 60}, {"", "a"}),
        ({}, {""}),
    ],
)
def test_small_strata_are_merged_until_the_rest_is_large_enough(ballots: dict[str, int], merged: set[str]) -> None:
    assert merged_strata(ballots, 20) == merged


def test_a_tally_that_tells_no_ballots_is_taken_for_the_fewest_it_can_have() -> None:
    """North has at least 41 ballots (its strongest candidate's), west 30 (90 votes, at most 3 a ballot), south 19:
    below the 20 it takes, so it becomes the rest, which takes in the next smallest, west."""
    west = {(f"c{k}", "west"): 15 for k in range(1, 7)}
    counts = {("c1", "north"): 19, ("c2", "north"): 41, ("c1", "south"): 19, **west}
    merged = merge_small(counts, {}, 20, 3)
    assert merged == {
        ("c1", "north"): 19,
        ("c2", "north"): 41,
        ("c1", ""): 34,
        **{(f"c{k}", ""): 15 for k in range(2, 7)},
    }
    counts = {("c1", "north"): 19, ("c2", "north"): 41, ("c1", "south"): 19, ("c1", "west"): 50}
    assert merge_small(counts, {"north": 9, "south": 25, "west": 50}, 20, 3) == {
        ("c1", ""): 38, ("c2", ""): 41, ("c1", "west"): 50,
    }  # fmt: skip


def test_groups_are_listed_as_people_say_them() -> None:
    groups = ["level=general", "level=key;category=culture", "level=major", "level=key;category=party_building", "x=y"]
    assert [group_name(group) for group in sorted(groups, key=group_order)] == [
        "重大项目",
        "重点项目 · 党建引领",
        "重点项目 · 文化形塑",
        "一般项目",
        "y",
    ]
    assert group_name("all") == "全部项目"

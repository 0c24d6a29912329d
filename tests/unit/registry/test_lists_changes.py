"""What a re-check does to a list: pure, replayed from the ranking."""

from __future__ import annotations

from typing import Any

import pytest

from services.registry.lists.changes import (
    Change,
    ChangeKind,
    ChangeReason,
    Grounds,
    Move,
    applied,
    difference,
    require_sound,
)
from services.registry.lists.lists import Entry
from services.shared.errors import Refusal
from services.shared.ranking.rules import parse_rules

RULES = parse_rules(
    b'schema = 1\n[round]\nid = "r"\ntitle = "r"\ntimezone = "Asia/Shanghai"\n[groups]\nby = ["level"]\n'
    b'[combination]\nvotes = "1"\nexperts = "0"\n[selection]\nplaces = { major = 1, key = 2 }\nreserve = 2\n'
)
ENTRIES = [
    Entry("level=key", 1, "k1", "9", "selected"),
    Entry("level=key", 2, "k2", "8", "selected"),
    Entry("level=key", 3, "k3", "7", "reserve"),
    Entry("level=key", 4, "k4", "6", "reserve"),
    Entry("level=major", 1, "m1", "9", "selected"),
    Entry("level=major", 2, "m2", "8", "reserve"),
]
LEVELS = {each.candidate: each.group.partition("=")[2] for each in ENTRIES}
GROUNDS = Grounds(ENTRIES, RULES, LEVELS)

REMOVED = {"kind": ChangeKind.REMOVE, "reason": ChangeReason.UNTRUE}
PROMOTED = {"kind": ChangeKind.PROMOTE_RESERVE, "reason": ChangeReason.VACANCY}
MOVED = {"kind": ChangeKind.CHANGE_LEVEL, "reason": ChangeReason.LEVEL_UNSUITABLE}
BACK = {"kind": ChangeKind.REINSTATE, "reason": ChangeReason.CORRECTION}


def change(candidate: str, like: dict[str, Any], level: str = "") -> Change:
    return Change(candidate=candidate, text="查实", level=level, **like)


def outcome(changes: list[Change]) -> tuple[dict[str, str], list[bool]]:
    entries, effects = applied(GROUNDS, changes)
    return {each.candidate: f"{each.group}/{each.outcome}" for each in entries}, effects


def test_who_is_removed_leaves_a_vacancy_that_fills_nobody_by_itself() -> None:
    listed, effects = outcome([change("k1", REMOVED)])
    assert "k1" not in listed
    assert (listed["k3"], effects) == ("level=key/reserve", [True])


def test_a_reserve_comes_in_only_into_a_vacancy_and_only_in_its_turn() -> None:
    assert outcome([change("k3", PROMOTED)])[1] == [False]
    assert outcome([change("k1", REMOVED), change("k4", PROMOTED)])[1] == [True, False]
    listed, effects = outcome([change("k1", REMOVED), change("k3", PROMOTED)])
    assert (listed["k3"], effects) == ("level=key/selected", [True, True])
    assert outcome([change("m1", REMOVED), change("k3", PROMOTED)])[1] == [True, False]


def test_downwards_a_level_takes_nobodys_place() -> None:
    entries, effects = applied(GROUNDS, [change("m1", MOVED, "key")])
    moved = next(each for each in entries if each.candidate == "m1")
    assert (moved.group, moved.place, moved.outcome, effects) == ("level=key", None, "selected", [True])
    # It stands beside the two places, so that the vacancy of a removed project is still one.
    assert outcome([change("m1", MOVED, "key"), change("k1", REMOVED), change("k3", PROMOTED)])[1] == [True] * 3


def test_upwards_a_level_needs_a_vacant_place() -> None:
    assert outcome([change("k1", MOVED, "major")])[1] == [False]
    listed, effects = outcome([change("m1", REMOVED), change("k1", MOVED, "major")])
    assert (listed["k1"], effects) == ("level=major/selected", [True, True])
    assert outcome([change("m1", REMOVED), change("k1", MOVED, "major"), change("m2", PROMOTED)])[1][2] is False


def test_who_is_reinstated_takes_the_place_back_from_the_reserve() -> None:
    listed, effects = outcome([change("k1", REMOVED), change("k3", PROMOTED), change("k1", BACK)])
    assert (listed["k1"], listed["k3"]) == ("level=key/selected", "level=key/reserve")
    assert effects == [True, False, True]
    assert outcome([change("k1", BACK)])[1] == [False]


def test_a_change_that_no_longer_fits_a_new_ranking_changes_nothing() -> None:
    grounds = Grounds([each for each in ENTRIES if each.candidate != "k1"], RULES, LEVELS)
    assert applied(grounds, [change("k1", REMOVED)])[1] == [False]


def test_the_difference_says_who_moved_by_how_much_and_why() -> None:
    changes = [change("k1", REMOVED), change("k3", PROMOTED)]
    found = difference(ENTRIES, applied(GROUNDS, changes)[0], changes)
    assert [(each.candidate, each.move, [c.reason for c in each.why]) for each in found] == [
        ("k1", Move.LEFT, ["untrue"]),
        ("k3", Move.PROMOTED, ["vacancy"]),
    ]
    swapped = [Entry("level=key", 2, "k1", "8", "selected"), Entry("level=key", 1, "k2", "8.5", "selected")]
    moves = difference(ENTRIES[:2], swapped, [])
    assert [(each.candidate, each.move, each.places_moved) for each in moves] == [
        ("k1", Move.PLACE, -1),
        ("k2", Move.PLACE, 1),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        change("stranger", REMOVED),
        Change(ChangeKind.REMOVE, "k1", ChangeReason.VACANCY, "查实"),
        Change(ChangeKind.REMOVE, "k1", ChangeReason.UNTRUE, "  "),
        change("k1", MOVED),
        change("k1", REMOVED, "key"),
    ],
)
def test_a_change_that_is_wrong_in_itself_is_refused(wrong: Change) -> None:
    with pytest.raises(Refusal, match="bad_list_change"):
        require_sound([wrong], LEVELS, has_list=True)


def test_before_there_is_a_list_only_removals_make_sense() -> None:
    require_sound([change("k1", REMOVED)], LEVELS, has_list=False)
    with pytest.raises(Refusal, match="bad_list_change"):
        require_sound([change("k1", MOVED, "major")], LEVELS, has_list=False)

"""`pingxuan rounds preview` and `publish`: what is said of a recomputation, and what one needs."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from services.cli.round_preview import BECAUSE, told
from services.cli.rounds import CAUSES, rounds
from services.scoring.rankings import Cause

ROW = {"group": "all", "title": "居民议事厅" * 9, "total_difference": "-1.50", "because": ["votes", "marks"]}


def test_a_preview_says_who_moves_by_how_much_because_of_what() -> None:
    moved = {**ROW, "place_before": 3, "place_after": 14, "outcome": ["selected", ""]}
    gone = {**ROW, "place_before": 4, "place_after": None, "outcome": ["", None], "total_difference": ""}
    change = {"round": "r", "before": 1, "after": 3, "moved": 2, "rows": [moved, gone]}
    lines = told({**change, "because": dict.fromkeys(BECAUSE, True)}).splitlines()
    assert lines[0] == "r: version 1 → 3, because of the rules, the tally, the sheets, the software; 2 move"
    assert lines[1].split() == [
        "all", "3", "→", "14", "-1.50", f"{'居民议事厅' * 4}…", "(votes,", "marks)", "selected", "→", "not", "selected",
    ]  # fmt: skip
    assert lines[2].split()[1:5] == ["4", "→", "—", "—"]
    nothing = {**change, "because": dict.fromkeys(BECAUSE, False), "rows": [], "moved": 0}
    assert told(nothing) == "r: version 1 → 3, nothing it rests on has changed; 0 move"
    assert told({"round": "r", "before": None, "after": 1, "rows": [1, 2]}).endswith("would be the first, 2 rows")


@pytest.mark.parametrize("more", [["--cause", "sheet_reopened"], ["--reason", "更正"], ["--cause", "mood"]])
def test_a_recomputation_names_a_known_cause_and_a_reason(more: list[str]) -> None:
    result = CliRunner().invoke(rounds, ["publish", "r", "ann", "bob", *more])
    assert (result.exit_code, "Error" in result.output) == (2, True)


def test_causes_are_those_of_the_service() -> None:
    assert list(CAUSES) == [cause.value for cause in Cause]

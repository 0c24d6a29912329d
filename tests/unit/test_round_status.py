"""`pingxuan rounds status` tells the window as voting has it: the registry knows the rules only."""

from __future__ import annotations

import pytest

from services.cli.round_status import windows_of

RULES = {"opens": "2021-05-10T09:00:00+08:00", "closes": "2021-05-10T18:00:00+08:00"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2021-05-10T12:00:00Z", "2021-05-10T20:00:00+08:00"),
        ("2021-05-10T10:00:00Z", RULES["closes"]),
        # Closed by hand: the rules' moment stays, the other stands beside it.
        ("2021-05-10T08:00:00Z", RULES["closes"]),
        (None, RULES["closes"]),
    ],
)
def test_an_extension_moves_the_closing_moment(asked: str | None, told: str) -> None:
    voting = {} if asked is None else {"windows": {"voting": {"opens": None, "closes": asked}}}
    assert windows_of({"windows": {"voting": RULES}}, voting) == {"voting": {**RULES, "closes": told}}


def test_a_round_without_a_vote_has_no_such_window() -> None:
    scoring = {"scoring": RULES}
    assert windows_of({"windows": scoring}, {"windows": {"voting": {"opens": None, "closes": None}}}) == scoring

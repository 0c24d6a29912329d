"""The load test of duplicates in small: voting processes side by side, everybody tries often and at once."""

from __future__ import annotations

import pytest

from loadtests import duplicates
from loadtests.duplicates import Answer, Half, Line, Person
from tests.system.town import use_own_ports

PERSON = Person(b"p", ["a", "b"], [])


@pytest.mark.timeout(120)
async def test_two_thousand_attempts_over_two_processes_are_one_ballot_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same ballot id and with others, at the same moment, first with Valkey's hints and then without."""
    use_own_ports(monkeypatch)
    for name, value in duplicates.UNLIMITED.items():
        monkeypatch.setenv(name, value)
    found = await duplicates.measure(2000, processes=2, seconds_max=100)
    assert duplicates.holds(found), found
    assert found["attempts"] >= 2000
    assert found["ballots"] == found["people"]
    for half in found["halves"]:
        assert half["answers"].keys() == {"201", "200", "already_voted"}
    assert any(len(half["recorded_by_process"]) == 2 for half in found["halves"]), "both processes were in the race"


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([Answer("R1", "a", "", 201), Answer("R2", "b", "", 201)], "doubled"),
        ([Answer("R1", "a", "", 201), Answer("R1", "a", "", 201)], "doubled"),
        ([Answer("", "", "already_voted", 409)] * 2, "unanswered"),
        ([Answer("R1", "a", "", 201), Answer("", "", "window_closed", 403)], "false_answers"),
        ([Answer("R1", "a", "", 201), Answer("", "", "ballot_id_reused", 409)], "false_answers"),
    ],
)
def test_its_judge_notices_every_fault(told: list[Answer], fault: str) -> None:
    half = Half("running")
    half.judge(PERSON, list(zip([Line(1, 0), Line(2, 1)], told, strict=True)))
    assert getattr(half, fault) == 1

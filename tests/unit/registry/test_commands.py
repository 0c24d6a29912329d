"""What `pingxuan rounds` and `pingxuan staff` decide before and after they ask the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from services.cli.client import Answer, CheckFailed, Client, CommandFailed, expect, wait_for
from services.cli.round_status import gather, told
from services.cli.rounds import Duration, read_folder
from services.registry.rounds.files import COMPANIONS


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2H", 7200), ("1d", 86_400)]
)
def test_durations_as_people_write_them(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "-5m", "10 m", "1.5h", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no duration"):
        Duration().convert(text, None, None)


def test_a_folder_is_read_byte_for_byte_and_nothing_else_of_it(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes("\ufeffschema = 1\r\n".encode())
    (tmp_path / "notes.txt").write_text("private")
    (tmp_path / "applications").mkdir()
    (tmp_path / "applications" / "K1.toml").write_text("candidate = 'K1'")
    files = read_folder(tmp_path)
    assert sorted(files) == ["applications/K1.toml", "rules.toml"]
    assert files["rules.toml"].encode() == (tmp_path / "rules.toml").read_bytes()


def test_a_folder_may_hold_every_file_that_the_registry_knows(tmp_path: Path) -> None:
    for name in ("rules.toml", *COMPANIONS):
        (tmp_path / name).write_text("x")
    assert sorted(read_folder(tmp_path)) == sorted(["rules.toml", *COMPANIONS])


def test_a_folder_without_rules_or_with_another_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"rules\.toml is missing"):
        read_folder(tmp_path)
    (tmp_path / "rules.toml").write_bytes("评选".encode("gbk"))
    with pytest.raises(CommandFailed, match="not UTF-8"):
        read_folder(tmp_path)


def test_a_refusal_is_one_sentence_with_its_word_and_how_long_to_wait() -> None:
    answer = Answer(409, {"reason": "grace_running", "detail": "Ballots may still come.", "retry_after_s": 7})
    with pytest.raises(CommandFailed) as refused:
        expect(answer, 200)
    assert refused.value.message == "Ballots may still come; repeat in 7 s (grace_running)"
    assert refused.value.exit_code == 2


def test_waiting_has_an_end_and_its_own_exit_code() -> None:
    with pytest.raises(CheckFailed, match="the notice did not happen within 0 s") as failed:
        wait_for(lambda: None, "the notice", 0.0)
    assert failed.value.exit_code == 1


def test_no_platform_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PINGXUAN_HOME", str(tmp_path))
    monkeypatch.delenv("PUBLIC_ORIGIN", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed, match="pingxuan up"):
        Client.find()


@pytest.mark.parametrize(
    ("environment", "explicit", "url"),
    [
        ({"PUBLIC_ORIGIN": "http://o/"}, "", "http://o/api/voting/v1/x"),
        ({"PUBLIC_ORIGIN": "http://o", "VOTING_PORT": "8001"}, "", "http://127.0.0.1:8001/api/voting/v1/x"),
        ({"PUBLIC_ORIGIN": "http://o", "VOTING_PORT": "8001"}, "http://o", "http://o/api/voting/v1/x"),
        (
            {"PUBLIC_ORIGIN": "http://o", "VOTING_PORT": "8001", "VOTING_HOST": "0.0.0.0"},
            "",
            "http://127.0.0.1:8001/api/voting/v1/x",
        ),
    ],
)
def test_where_a_service_is_asked(environment: dict[str, str], explicit: str, url: str) -> None:
    assert Client(environment, explicit).url("/api/voting/v1/x") == url


class Services(Client):
    """The answers of three services, by the middle of their paths; None is a service that is down."""

    def __init__(self, answers: dict[str, Answer | None]) -> None:
        super().__init__({"PUBLIC_ORIGIN": "http://o"})
        self._answers = answers

    def get(self, path: str, *, actor: str = "") -> Answer:
        answer = self._answers[path.split("/")[2]]
        if answer is None:
            raise CommandFailed("it does not answer")
        return answer


FACTS: dict[str, Any] = {
    "round": "r", "title": "评选", "digest": "d" * 64, "phase": "closed", "closed_early_at": None, "list_version": 0,
    "windows": {"voting": {"opens": "2020-10-22T09:00:00+08:00", "closes": "2020-10-30T12:00:00+08:00"}},
}  # fmt: skip
VOTING = {"phase": "closed", "turnout": 8, "ballots": {"recorded": 8, "held": 1}, "sealed_at": None}
PANEL = [
    {"expert": "a", "assigned": 4, "saved": 1, "submitted": 2, "recused": 1},
    {"expert": "b", "assigned": 4, "saved": 0, "submitted": 4, "recused": 0},
]


def test_the_state_of_a_round_adds_up_the_sheets() -> None:
    scoring = {"panel": PANEL, "tally": None, "rankings": []}
    state = gather(
        Services({"registry": Answer(200, FACTS), "voting": Answer(200, VOTING), "scoring": Answer(200, scoring)}), "r"
    )
    assert state["sheets"] == {"assigned": 8, "saved": 1, "submitted": 6, "recused": 1, "missing": 1}
    assert state["phase"] == "closed"
    assert "sheets         6 of 8 in, 1 missing" in told(state)


def test_the_state_can_be_told_while_services_are_down() -> None:
    state = gather(Services({"registry": Answer(200, FACTS), "voting": None, "scoring": Answer(503, {})}), "r")
    assert state["unavailable"] == ["voting", "scoring"]
    assert (state["turnout"], state["sheets"]) == (None, None)
    assert "voting could not be asked" in told(state)


def test_a_sealed_tally_goes_before_the_windows() -> None:
    scoring = {"panel": [], "tally": {"sealed_at": "2020-10-30T12:01:00Z"}, "rankings": []}
    state = gather(Services({"registry": Answer(200, FACTS), "voting": None, "scoring": Answer(200, scoring)}), "r")
    assert state["phase"] == "sealed"

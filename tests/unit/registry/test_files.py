"""A round's files: what is right is read, and every mistake is told with file, line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.rounds import read_folder
from services.registry.rounds.files import RESERVED_CANDIDATES, read_draft
from services.registry.rounds.reading import Problem
from services.scoring import pages_own, pages_results

SHIPPED = Path(__file__).parents[3] / "deploy" / "rounds"
Files = dict[str, str]


@pytest.fixture(scope="module")
def kunming() -> Files:
    return read_folder(SHIPPED / "kunming-2021")


def problems_of(files: Files) -> list[Problem]:
    draft, problems = read_draft(files, files.get("rules.toml", ""))
    assert (draft is None) == bool(problems)
    return problems


def replaced(files: Files, name: str, old: str, new: str) -> Files:
    assert old in files[name], f"{old!r} is not in {name}"
    return {**files, name: files[name].replace(old, new, 1)}


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


@pytest.mark.parametrize("name", ["kunming-2021", "kunming-2020-pilot", "small"])
def test_the_shipped_rounds_are_right(name: str) -> None:
    assert problems_of(read_folder(SHIPPED / name)) == []


def test_a_draft_holds_everything_the_files_say(kunming: Files) -> None:
    draft, _ = read_draft(kunming, kunming["rules.toml"])
    assert draft is not None
    application = draft.applications["K01"]
    assert application.budget_total == sum(line.amount for line in application.budget) > 0
    assert draft.channels["wuhua"].kind == "district"
    assert [text.criterion for text in draft.criteria] == [criterion.id for criterion in draft.rules.criteria]
    assert len(draft.experts) == 9
    assert draft.summary_of("K01") == application.summary


MISTAKES: list[tuple[str, str, str, str]] = [
    ("an unknown key", "title = ", "titel = 1\ntitle = ", 'unknown key "titel"'),
    ("an unknown level", 'level = "major"', 'level = "huge"', "use one of: major, key, general"),
    ("an unknown category", 'category = "party_building"', 'category = "sports"', "use one of: party_building"),
    ("a missing section", "need_analysis = ", "need_analyses = ", "need_analysis in [sections] is missing"),
    ("an amount with three decimals", 'amount = "36000.00"', 'amount = "36000.001"', "at most two decimals"),
    ("an amount that is no text", 'amount = "36000.00"', "amount = 36000.00", "in quotes"),
    ("an amount of nothing", 'amount = "36000.00"', 'amount = "0.00"', "above 0"),
    ("a day in quotes", "due = 2021-09-30", 'due = "2021-09-30"', "a day without quotes"),
    ("a wrong credit code", "11530102MBPX00014P", "11530102MBPX00014X", "GB 32100"),
    ("an unknown kind of unit", 'kind = "party_government"', 'kind = "party"', "use one of: party_government"),
    ("a partner as lead", 'kind = "party_government"', 'kind = "university"', "use one of: party_government"),
    ("no TOML", "[sections]", "[sections", "is not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "says"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES])
def test_a_mistake_in_an_application_is_told_with_its_line(kunming: Files, old: str, new: str, says: str) -> None:
    name = "applications/K01.toml"
    files = replaced(kunming, name, old, new)
    [first, *_] = [each for each in problems_of(files) if each.file == name and says in each.reason]
    expected = line_of(files[name], "[sections]") if "need_analyses" in new else line_of(files[name], new)
    assert abs(first.line - expected) <= (1 if new == "[sections" else 0)


def test_an_unknown_channel_is_told(kunming: Files) -> None:
    files = replaced(kunming, "applications/K01.toml", 'channel = "wuhua"', 'channel = "atlantis"')
    [problem] = problems_of(files)
    assert problem.file == "applications/K01.toml"
    assert "atlantis" in problem.reason


def test_a_channel_above_its_quota_is_told(kunming: Files) -> None:
    files = replaced(kunming, "rules.toml", "district = 4", "district = 1")
    assert any("quota of a district is 1" in each.reason for each in problems_of(files))


def test_a_candidate_given_twice_is_told(kunming: Files) -> None:
    files = replaced(kunming, "applications/K02.toml", 'candidate = "K02"', 'candidate = "K01"')
    assert any("K01" in each.reason and each.file == "applications/K02.toml" for each in problems_of(files))


def _agreeing(files: Files, change: Callable[[str], str] = lambda row: row) -> Files:
    draft, _ = read_draft(files, files["rules.toml"])
    assert draft is not None
    rows = [
        f'{each.candidate},"{each.title}",{each.unit},{each.channel},{each.category},{each.level}'
        for each in draft.candidates
    ]
    text = "candidate,title,unit,channel,category,level\n" + "\n".join(change(row) for row in rows) + "\n"
    return {**files, "candidates.csv": text}


def test_candidates_and_applications_must_agree(kunming: Files) -> None:
    assert problems_of(_agreeing(kunming)) == []
    other = _agreeing(kunming, lambda row: row.replace(",major", ",general") if row.startswith("K01,") else row)
    [problem] = problems_of(other)
    assert "level" in problem.reason
    fewer = _agreeing(kunming, lambda row: "" if row.startswith("K01,") else row)
    assert any("only in applications" in each.reason for each in problems_of(fewer))


def test_no_candidate_has_the_name_of_a_page_of_results(kunming: Files) -> None:
    """It would never be shown: /results/{round}/versions is the list of versions."""
    paths = {path for route in (*pages_results.ROUTES, *pages_own.ROUTES) for path in route.paths}
    beside = {path.split("/")[3] for path in paths if path.startswith("/results/{round_id:str}/")}
    assert {name for name in beside if "{" not in name} == RESERVED_CANDIDATES
    text = kunming["applications/K02.toml"].replace('"K02"', '"versions"')
    files = {name: each for name, each in kunming.items() if name != "applications/K02.toml"}
    [problem] = problems_of({**files, "applications/versions.toml": text})
    assert '"versions" is the name of a page' in problem.reason


@pytest.mark.parametrize("name", ["notes.txt", "applications/../rules.toml", "applications/a/b.toml"])
def test_a_file_that_is_no_file_of_a_round_is_told(kunming: Files, name: str) -> None:
    assert [each.file for each in problems_of({**kunming, name: "x = 1"})] == [name]


def test_a_round_without_rules_or_candidates_is_told(kunming: Files) -> None:
    without_rules = {name: text for name, text in kunming.items() if name != "rules.toml"}
    assert [(each.file, "is missing" in each.reason) for each in problems_of(without_rules)] == [("rules.toml", True)]
    only_rules = {"rules.toml": kunming["rules.toml"]}
    assert "candidates.csv" in {each.file for each in problems_of(only_rules)}


def test_a_ballot_nobody_could_fill_is_told() -> None:
    small = read_folder(SHIPPED / "small")
    files = replaced(small, "rules.toml", "choices_min = 1\nchoices_max = 3", "choices_min = 7\nchoices_max = 9")
    [problem] = problems_of(files)
    assert "only 6 candidates stand" in problem.reason


def test_a_criterion_without_text_is_told(kunming: Files) -> None:
    files = replaced(kunming, "criteria.toml", "[innovation]", "[invention]")
    told = {each.reason.split(";")[0] for each in problems_of(files) if each.file == "criteria.toml"}
    assert told == {'unknown key "invention"', "[innovation] is missing"}


def test_a_hostile_number_of_mistakes_stays_bounded() -> None:
    keys = "".join(f"key{k} = 1\n" for k in range(5_000))
    files = {**read_folder(SHIPPED / "small"), "applications/A.toml": keys}
    assert len(problems_of(files)) <= 250

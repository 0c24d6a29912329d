"""statistics.json: from a bundle, offline, the same bytes everywhere, and never more than the rules publish."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli.rank import rank
from services.cli.rules import rules
from services.shared.ranking.bundle import Exclusion, read_bundle
from services.shared.ranking.statistics.report import (
    Names,
    public_statistics,
    statistics_json,
    statistics_of,
    statistics_of_bundle,
)
from services.shared.ranking.statistics.source import Source, build_source
from tests.unit.ranking.builders import ONE_CRITERION, candidates_of, marks_of, rules_of
from tests.unit.ranking.test_bundle import FILES, folder_of

METHOD = (
    '[experts]\naggregate = "trimmed_mean"\ntrim_low = 1\ntrim_high = 1\npanel_min = 3\n'
    '[combination]\nvotes = "0.5"\nexperts = "0.5"\n[selection]\nplaces = { all = 1 }\nreserve = 1\n'
)
VOTES = {"A": 80, "B": 70, "C": 10}
MARKS: dict[str, dict[str, list[int | str]]] = {
    "xu": {"A": [60], "B": [60], "C": [50]},
    "li": {"A": [64], "B": [60], "C": [50]},
    "wu": {"A": [68], "B": [66], "C": [56]},
}


def source_of(more: str = "", candidates_reversed: bool = False) -> Source:
    names = sorted(VOTES, reverse=candidates_reversed)
    counts = {(name, ""): VOTES[name] for name in names}
    scores = marks_of({expert: MARKS[expert] for expert in sorted(MARKS, reverse=candidates_reversed)})
    return build_source(rules_of(ONE_CRITERION, METHOD, more), candidates_of(*names), counts, scores)


def document_of(source: Source, **more: Any) -> Any:
    return json.loads(statistics_json(statistics_of(source, draws=20, **more)))


def test_the_whole_document() -> None:
    document = document_of(source_of())
    assert sorted(document) == [
        "affiliation", "agreement", "crossings", "experts", "experts_linked", "intervals", "marks", "outlying",
        "own_sheets", "rules_digest", "schema", "seed", "sensitivity", "weights",
    ]  # fmt: skip
    assert document["schema"] == 1
    assert document["seed"] == document["rules_digest"] + ":statistics"
    assert document["intervals"]["draws"] == 20
    assert document["affiliation"] is None


def test_aggregates_and_dropped_marks() -> None:
    [first, *_] = document_of(source_of())["marks"]
    assert first == {
        "group": "all", "candidate": "A", "sheets": 3, "aggregates": {"idea": "64.000000"}, "fell_back": False,
        "dropped": [
            {"criterion": "idea", "expert": "xu", "mark": "60.000000"},
            {"criterion": "idea", "expert": "wu", "mark": "68.000000"},
        ],
    }  # fmt: skip


def test_a_losing_units_own_sheet() -> None:
    # Totals: A 0.5 · 80 + 0.5 · 64 = 72, B 35 + 30 = 65, C 5 + 25 = 30. All marks: 50 50 56 60 60 60 64 66 68.
    b, c = document_of(source_of())["own_sheets"]
    assert (b["candidate"], b["outcome"], b["votes"], b["cut"], b["distance"]) == (
        "B", "reserve", 70, "72.000000", "-7.000000",
    )  # fmt: skip
    assert b["marks"][1] == {
        "criterion": "idea", "marks": ["60.000000", "60.000000", "66.000000"],
        "median": "60.000000", "group_median": "60.000000",
    }  # fmt: skip
    assert (c["candidate"], c["distance"], c["marks"][1]["median"]) == ("C", "-42.000000", "50.000000")


def test_weights_that_work_otherwise_than_written_are_marked() -> None:
    # Votes spread far wider than marks: they decide nearly everything.
    weights = {each["part"]: each for each in document_of(source_of())["weights"]}
    assert (weights["votes"]["nominal"], weights["votes"]["apart"]) == ("0.500000", True)
    assert float(weights["votes"]["effective"]) + float(weights["experts"]["effective"]) == pytest.approx(1)
    assert float(weights["votes"]["effective"]) > 2 / 3


def test_with_the_excluded_ballots_counted() -> None:
    exclusions = [Exclusion("bought", "B", "2030-05-06", 9), Exclusion("twice", "B", "2030-05-07", 8)]
    variants = document_of(source_of(), exclusions=exclusions)["sensitivity"]
    [counted] = [each for each in variants if each["kind"] == "excluded_counted"]
    # B 87 votes: 43.5 + 30 = 73.5 against 72.
    assert counted["value"] == "17"
    assert [(move["candidate"], move["place_then"]) for move in counted["moves"]] == [("A", 2), ("B", 1)]


def test_excluded_ballots_of_unknown_strata_are_not_counted_anywhere() -> None:
    source = source_of('[votes]\nper = "stratum"\n[ballot]\nstratum = "phone_region"\n')
    variants = document_of(source, exclusions=[Exclusion("bought", "B", "2030-05-06", 17)])["sensitivity"]
    assert "excluded_counted" not in {each["kind"] for each in variants}


def test_the_same_bytes_whatever_the_order_of_rows() -> None:
    first = statistics_json(statistics_of(source_of(), draws=20))
    assert statistics_json(statistics_of(source_of(candidates_reversed=True), draws=20)) == first


def test_experts_are_called_as_the_publisher_says_and_sorted_by_that() -> None:
    whole = {"xu": "e-2", "li": "e-3", "wu": "e-1"}
    names = Names(whole=whole.__getitem__, on_candidate=lambda expert, candidate: f"{candidate}{whole[expert]}")
    document = document_of(source_of(), names=names)
    told = json.dumps(document)
    assert not any(f'"{name}"' in told for name in MARKS)
    habits = [each["expert"] for each in document["experts"] if each["criterion"] == "idea"]
    assert habits == ["e-1", "e-2", "e-3"]
    without = [each["value"] for each in document["sensitivity"] if each["kind"] == "without_expert"]
    assert without == ["e-1", "e-2", "e-3"]
    assert document["marks"][0]["dropped"][0]["expert"] == "Ae-2"


def test_affiliation_is_tested_where_it_is_known() -> None:
    found = document_of(source_of(), is_own=lambda expert, candidate: (expert, candidate) == ("wu", "A"))["affiliation"]
    assert (found["own_sheets"], found["arrangements"], found["exact"]) == (1, 3, True)


def test_where_experts_are_not_linked_only_alpha_is_told() -> None:
    scores = [each._replace(expert=f"{each.candidate}-{each.expert}") for each in marks_of(MARKS)]
    source = build_source(rules_of(ONE_CRITERION, METHOD), candidates_of(*VOTES), None, scores)
    document = document_of(source, is_own=lambda *_: True)
    assert (document["experts_linked"], document["experts"], document["affiliation"]) == (False, [], None)
    assert {(each["icc_a_k"], each["kendall_w"]) for each in document["agreement"]} == {(None, None)}
    linked = document_of(source_of())
    assert [each["alpha"] for each in document["agreement"]] == [each["alpha"] for each in linked["agreement"]]


def test_where_only_the_selected_are_published_nothing_names_another() -> None:
    document = document_of(source_of(), exclusions=[Exclusion("bought", "B", "2030-05-06", 17)])
    shown = public_statistics(document, {"A"})
    assert shown["agreement"] == document["agreement"]
    assert [each["candidate"] for each in shown["marks"]] == ["A"]
    assert shown["own_sheets"] == []
    told = json.dumps(shown)
    assert '"B"' not in told
    assert '"C"' not in told
    assert '"B"' in json.dumps(document)


def test_one_side_is_enough() -> None:
    votes = build_source(rules_of(ONE_CRITERION, METHOD), candidates_of(*VOTES), {("A", ""): 3}, None)
    assert document_of(votes)["marks"] == []
    marks = build_source(rules_of(ONE_CRITERION, METHOD), candidates_of(*VOTES), None, marks_of(MARKS))
    assert document_of(marks)["intervals"]["places"][0]["place"] == 1


def test_the_command_writes_ranking_and_statistics(tmp_path: Path) -> None:
    bundle = folder_of(tmp_path / "bundle", FILES)
    out = tmp_path / "statistics.json"
    result = CliRunner().invoke(rank, [str(bundle), "--statistics", str(out)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("group,place,candidate")
    assert out.read_bytes() == statistics_json(statistics_of_bundle(read_bundle(bundle)))
    assert json.loads(out.read_text(encoding="utf-8"))["intervals"]["draws"] == 2_000


def test_the_command_writes_nothing_on_bad_input(tmp_path: Path) -> None:
    bundle = folder_of(tmp_path / "bundle", FILES | {"exclusions.csv": b"reason,candidate,day,ballots\nx,A,d,few\n"})
    result = CliRunner().invoke(rank, [str(bundle), "--statistics", str(tmp_path / "s.json")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == 'Error: exclusions.csv:2: ballots "few" must be a whole number of 0 or more\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_ranking_and_statistics_do_not_overwrite_each_other(tmp_path: Path) -> None:
    bundle = folder_of(tmp_path / "bundle", FILES)
    same = str(tmp_path / "same")
    result = CliRunner().invoke(rank, [str(bundle), "--out", same, "--statistics", same])
    assert result.exit_code == 2
    assert "--out and --statistics name the same file" in result.stderr


def test_rules_check_warns_of_weights_that_work_otherwise(tmp_path: Path) -> None:
    bundle = folder_of(tmp_path / "bundle", FILES)
    result = CliRunner().invoke(rules, ["check", str(bundle / "rules.toml"), "--bundle", str(bundle)])
    assert "warning: votes works with another weight than is written" in result.stdout
    plain = CliRunner().invoke(rules, ["check", str(bundle / "rules.toml")])
    assert "works with another weight" not in plain.stdout


def test_a_shuffled_file_gives_the_same_statistics(tmp_path: Path) -> None:
    order = random.Random(1)
    texts = {}
    for name in ("candidates.csv", "votes.csv", "scores.csv"):
        header, *rows = FILES[name].splitlines(keepends=True)
        order.shuffle(rows)
        texts[name] = b"".join([header, *reversed(rows)])
    plain = statistics_of_bundle(read_bundle(folder_of(tmp_path / "a", FILES)), draws=20)
    turned = statistics_of_bundle(read_bundle(folder_of(tmp_path / "b", FILES | texts)), draws=20)
    assert statistics_json(plain) == statistics_json(turned)

"""Dashboards and rules ask only for what exists: metrics, labels, and words of labels; and no metric is forgotten."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from services.cli.dashboards import BOARDS
from services.cli.dashboards.panels import Board, Kind, Panel, board_json
from services.cli.metrics import EMBEDDED
from services.cli.reference import METRIC_MODULES, metrics_table
from tests.support.debian import program
from tests.tidy.metric_words import FREE, WORDS
from tests.tidy.promql import grouped, selectors

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "grafana"
RECORDING: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DEPLOY / "prometheus" / "recording.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]  # fmt: skip
PANELS = [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]
# Put on by Prometheus itself, not by us; and what it and the client's library tell by themselves.
SCRAPED = {"job", "instance"}
THEIRS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}, "process_cpu_seconds_total": set(),
          "process_resident_memory_bytes": set(), "process_open_fds": set()}  # fmt: skip
PROMTOOL = program("bin", "promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="Debian's promtool is not here (deploy/install-servers)")


@cache
def ours() -> dict[str, set[str]]:
    """Labels by metric, from the same table the runbook shows; a histogram is one metric."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*) \|", metrics_table(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def base(metric: str) -> str:
    """The metric that a series of a histogram belongs to."""
    name = re.sub(r"_(bucket|sum|count)$", "", metric)
    return name if metric not in ours() and name in ours() else metric


@cache
def recorded() -> dict[str, set[str]]:
    """Labels by recorded series."""
    found: dict[str, set[str]] = {}
    for rule in RECORDING:
        found.setdefault(rule["record"], set()).update(grouped(rule["expr"]) - {"le"}, rule.get("labels", {}))
    return found


def labels_of(metric: str) -> set[str]:
    known = ours() | recorded() | THEIRS
    assert base(metric) in known, f"there is no {metric}"
    return known[base(metric)] | SCRAPED | ({"le"} if metric.endswith("_bucket") else set())


def possible(metric: str, label: str, word: str) -> bool:
    """Whether the word, or pattern, can ever stand there."""
    sources = [base(metric)]
    if metric in recorded():
        sources = [
            base(each.metric) for rule in RECORDING if rule["record"] == metric for each in selectors(rule["expr"])
        ]
    closed = [WORDS[source][label] for source in sources if label in WORDS.get(source, {})]
    return not closed or any(re.fullmatch(word, each) for words in closed for each in words)


def check(expression: str) -> None:
    """Raises AssertionError for what no process of ours ever tells."""
    asked = selectors(expression)
    assert asked, f"{expression} asks for nothing"
    for each in asked:
        for label, word in each.matchers:
            assert label in labels_of(each.metric), f"{expression}: {each.metric} has no label {label}"
            assert possible(each.metric, label, word), f"{expression}: {label} of {each.metric} is never {word}"
    told = set().union(*(labels_of(each.metric) for each in asked))
    assert grouped(expression) <= told, f"{expression} groups by {grouped(expression) - told}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_dashboard_asks_only_for_what_exists(board: Board) -> None:
    for row in board.rows:
        for panel in row.panels:
            for query in panel.queries:
                check(query.expression)
                shown = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
                told = set().union(*(labels_of(each.metric) for each in selectors(query.expression)))
                assert shown <= told, f"{panel.english}: the legend shows {shown - told}"


@pytest.mark.parametrize("rule", RECORDING, ids=lambda rule: rule["record"])
def test_a_recording_rule_asks_only_for_what_exists(rule: dict[str, Any]) -> None:
    check(rule["expr"])


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("sum(rate(ballots_total[1m]))", "there is no ballots_total"),
        ('sum(codes_total{reason="sent"})', "no label reason"),
        ('sum(codes_total{outcome="send"})', "never send"),
        ('sum(http_requests_total{status=~"5.."}) + sum(decided_ballots{state=~"restored|lost"})', "never lost"),
        ("sum by (round) (voting_turnout)", "groups by {'round'}"),
        ('decision:ballots:rate1m{decision="accepted"}', "never accepted"),
    ],
)
def test_the_check_finds_what_does_not_exist(expression: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        check(expression)


def test_every_metric_is_on_a_dashboard() -> None:
    seen, waiting = set[str](), [query.expression for _, panel in PANELS for query in panel.queries]
    while waiting:
        for each in selectors(waiting.pop()):
            if each.metric in recorded() and each.metric not in seen:
                waiting += [rule["expr"] for rule in RECORDING if rule["record"] == each.metric]
            seen.add(base(each.metric))
    assert set(ours()) - seen == set()
    assert set(recorded()) - seen <= {rule["record"] for rule in RECORDING if _is_alerted(rule["record"])}


def _is_alerted(name: str) -> bool:
    return name in (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")


def test_every_label_comes_from_a_closed_list() -> None:
    open_ones = {(metric, label) for metric, labels in ours().items() for label in labels
                 if label not in FREE and label not in WORDS.get(metric, {})}  # fmt: skip
    assert open_ones == set()
    assert {(metric, label) for metric, closed in WORDS.items() for label in closed
            if label not in ours().get(metric, set())} == set()  # fmt: skip


def test_the_files_are_those_of_the_code() -> None:
    """Stale? `pingxuan reference dashboards --write` brings them up to date."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == {
        f"{board.name}.json": board_json(board) for board in BOARDS
    }


def test_a_file_is_what_grafana_reads() -> None:
    """Unique ids and addresses, the chosen data source everywhere, panels on the grid without overlap."""
    made = [json.loads(board_json(board)) for board in BOARDS]
    assert len({board["uid"] for board in made}) == len({board["title"] for board in made}) == len(BOARDS)
    for board in made:
        assert len(board["uid"]) <= 40
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert 0 <= place["x"] < place["x"] + place["w"] <= 24
            for target in panel.get("targets", []):
                assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for one, other in combinations([panel["gridPos"] for panel in board["panels"]], 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=lambda each: getattr(each, "name", getattr(each, "english", ""))
)
def test_a_panel_explains_itself_in_two_languages(board: Board, panel: Panel) -> None:
    chinese, english = panel.meaning
    assert re.search(r"[一-鿿]", panel.chinese + chinese)
    assert re.fullmatch(r"[\x20-\x7e]+", panel.english + english)
    assert chinese.endswith("。")
    assert english.endswith(".")
    assert len({query.legend for query in panel.queries}) == len(panel.queries), "two lines of one name"
    assert panel.kind is not Kind.FIGURE or len(panel.queries) == 1


def test_dashboards_speak_the_words_of_the_status_page() -> None:
    """Whoever is called at night reads one and then the other."""
    page = (DEPLOY.parent / "services" / "registry" / "templates" / "status.html").read_text("utf-8")
    names = re.findall(r'gauge\("\w+", _\("([^"]+)"\)', page) + re.findall(r'<h2 id="\w+">\{\{ _\("([^"]+)"\)', page)
    assert len(names) > 15
    told = "".join(board_json(board) for board in BOARDS)
    assert [name for name in names if name not in told] == []


@needs_promtool
def test_names_follow_prometheus_conventions_and_queries_are_promql(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    for modules in METRIC_MODULES.values():
        for module in modules:
            importlib.import_module(module)
    told = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=generate_latest(REGISTRY) + generate_latest(EMBEDDED),
        capture_output=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stdout + told.stderr) == (0, b"")
    queries = [query.expression.replace("$__rate_interval", "1m") for _, panel in PANELS for query in panel.queries]
    rules = [{"record": f"panel_{place}", "expr": query} for place, query in enumerate(queries)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    read = subprocess.run([PROMTOOL, "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, check=False)
    assert read.returncode == 0, read.stdout + read.stderr

"""Every alert asks for what exists, leads to its chapter of the runbook, and fires when it should and not before."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tidy.test_dashboards import DEPLOY, PROMTOOL, check, needs_promtool

FOLDER = DEPLOY / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
CASES = sorted(path.name for path in FOLDER.glob("alerts*_test.yml"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_only_for_what_exists_and_says_what_it_means(rule: dict[str, Any]) -> None:
    check(rule["expr"])
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert rule["annotations"]["summary"].endswith(".")


def test_every_alert_has_its_chapter_in_the_runbook() -> None:
    runbook = (DEPLOY / "README.md").read_text("utf-8")
    chapter = re.search(r"^## When an alert fires\n(.*?)^## ", runbook, re.MULTILINE | re.DOTALL)
    assert chapter is not None
    headings = re.findall(r"^### (\w+)$", chapter[1], re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in RULES)
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"deploy/README.md#{rule['alert'].lower()}"


def test_prometheus_reads_all_rules_wherever_it_runs() -> None:
    compose = (DEPLOY / "compose" / "compose.yaml").read_text("utf-8")
    for name in ("recording.yml", "alerts.yml"):
        assert f"../prometheus/{name}:/etc/prometheus/{name}:ro" in compose
    for path, folder in ((FOLDER / "kubernetes.yml", ""), (DEPLOY / "compose" / "prometheus.yml", "/etc/prometheus/")):
        read = yaml.safe_load(path.read_text("utf-8"))["rule_files"]
        assert read == [f"{folder}recording.yml", f"{folder}alerts.yml"]


@needs_promtool
def test_the_clusters_configuration_is_prometheus_own_language(tmp_path: Path) -> None:
    """All but the discovery of pods, which Debian's build of promtool does not know."""
    assert PROMTOOL is not None
    known = yaml.safe_load((FOLDER / "kubernetes.yml").read_text("utf-8"))
    (jobs,) = known["scrape_configs"]
    assert jobs.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["pingxuan"]}}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(known), "utf-8")
    command = [PROMTOOL, "check", "config", "--syntax-only", "prometheus.yml"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@needs_promtool
def test_every_alert_fires_when_it_should_and_not_before() -> None:
    """promtool plays the cases; every alert has one in which it is quiet and one in which it fires."""
    assert PROMTOOL is not None
    for command in (
        ["check", "rules", "recording.yml", "alerts.yml"],
        ["check", "config", "--syntax-only", "../compose/prometheus.yml"],
        ["test", "rules", *CASES],
    ):
        told = subprocess.run([PROMTOOL, *command], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
    cases = [
        (case["alertname"], bool(case["exp_alerts"]))
        for name in CASES
        for test in yaml.safe_load((FOLDER / name).read_text("utf-8"))["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in RULES}
    assert {name for name, fires in cases if fires} == names == {name for name, fires in cases if not fires}

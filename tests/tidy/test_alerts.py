"""Every metric an alert asks for exists, and every alert leads to a place in the runbook that is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.debian import program
from tests.tidy.test_dashboards import SCRAPED, known

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
RULES = re.findall(r"- alert: (\w+)\n\s+expr: (.+)\n((?:\s{8}.+\n)+)", ALERTS)


@pytest.mark.parametrize(("name", "expression"), [rule[:2] for rule in RULES])
def test_an_alert_asks_only_for_what_exists(name: str, expression: str) -> None:
    # `up` is Prometheus' own.
    metrics = known() | {"up": {"job"}}
    asked = re.findall(r"\b([a-z_]+_[a-z_]+|up)(?=[\[{)])(?:\{([^}]*)\})?", expression)
    assert asked, f"{name} asks for no metric"
    for metric, matchers in asked:
        assert metric in metrics, f"{name}: there is no {metric}"
        labels = set(re.findall(r"(\w+)=", matchers))
        labels |= {each.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for each in group.split(",")}
        assert labels <= metrics[metric] | SCRAPED, f"{name}: {metric} has no {labels - metrics[metric]}"


def test_every_rule_was_read() -> None:
    assert len(RULES) == ALERTS.count("- alert:") > 5


def test_alerts_lead_to_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "README.md").read_text("utf-8"), re.MULTILINE)
    anchors = {heading.lower().replace("'", "").replace(" ", "-") for heading in headings}
    for _, _, rest in RULES:
        (anchor,) = re.findall(r"runbook: deploy/README\.md#([\w-]+)", rest)
        assert anchor in anchors


PROMTOOL = program("bin", "promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="Debian's promtool is not here (deploy/install-servers)")
def test_every_alert_fires_when_it_should_and_not_before() -> None:
    """promtool plays the cases of alerts_test.yml; every alert has one in which it fires."""
    assert PROMTOOL is not None
    folder = DEPLOY / "prometheus"
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        told = subprocess.run([PROMTOOL, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
    cases = (folder / "alerts_test.yml").read_text("utf-8")
    fires = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n\s+- ", cases))
    quiet = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts: \[\]", cases))
    assert fires == quiet == {name for name, _, _ in RULES}

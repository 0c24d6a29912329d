"""Every metric an alert asks for exists, and every alert leads to a place in the runbook that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.test_dashboards import SCRAPED, known

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
RULES = re.findall(r"- alert: (\w+)\n\s+expr: (.+)\n((?:\s{8}.+\n)+)", ALERTS)


@pytest.mark.parametrize(("name", "expression"), [rule[:2] for rule in RULES])
def test_an_alert_asks_only_for_what_exists(name: str, expression: str) -> None:
    metrics = known()
    asked = re.findall(r"\b([a-z_]+_[a-z_]+)(?=[\[{)])(?:\{([^}]*)\})?", expression)
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

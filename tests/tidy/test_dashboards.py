"""Every metric a dashboard asks for exists, with the labels it groups by."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.cli.reference import metrics_table

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
# Put on by Prometheus itself, not by us.
SCRAPED = {"job", "le"}


def known() -> dict[str, set[str]]:
    """Labels by metric, from the same table the runbook shows."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", metrics_table(), re.MULTILINE)
    found = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    for name, kind, _ in rows:
        if kind == "histogram":
            found |= {f"{name}_{part}": found[name] for part in ("bucket", "sum", "count")}
    return found


def expressions(path: Path) -> list[str]:
    board = json.loads(path.read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_only_for_what_exists(path: Path) -> None:
    metrics = known()
    for expression in expressions(path):
        asked = set(re.findall(r"\b([a-z_]+)(?=[\[{)])", expression)) - {"rate", "sum"}
        named = {name for name in asked if "_" in name}
        assert named, expression
        assert named <= set(metrics), f"{expression}: {named - set(metrics)}"
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(",")}
        assert grouped <= SCRAPED | set.union(*(metrics[name] for name in named)), expression


def test_there_is_a_dashboard() -> None:
    assert DASHBOARDS

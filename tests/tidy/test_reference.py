"""deploy/README.md documents every setting and every metric, as the code declares them."""

from __future__ import annotations

import importlib
from typing import get_type_hints

import msgspec
import pytest

from services.cli.reference import README, SERVICES, between_markers, description, metrics_table, settings_table
from services.shared.settings import ServiceSettings


@pytest.mark.parametrize(("name", "table"), [("settings", settings_table), ("metrics", metrics_table)])
def test_the_tables_in_the_runbook_are_those_of_the_code(name: str, table: object) -> None:
    """Stale? `pingxuan reference settings --write` and `pingxuan reference metrics --write` bring them up to date."""
    assert callable(table)
    assert between_markers(README.read_text(encoding="utf-8"), name) == table()


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_described(service: str) -> None:
    module = importlib.import_module(f"services.{service}.settings")
    kinds = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, ServiceSettings)]
    for kind in kinds:
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            sentence = description(hints[field.name])
            assert sentence.endswith((".", "…")), f"{kind.__name__}.{field.name} needs a sentence"


def test_every_metric_has_a_sentence() -> None:
    rows = [line for line in metrics_table().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if not row.rstrip(" |").endswith(".")] == []


def test_no_metric_is_labelled_by_a_person_or_a_candidate() -> None:
    """Labels come from enums: they are bounded, and tell of nobody and of no running result."""
    labels = {label.strip("` ") for line in metrics_table().splitlines() if line.startswith("| `")
              for label in line.split(" | ")[2].split(",")}  # fmt: skip
    assert labels <= {"–", "method", "route", "status", "reason", "loop", "result", "stream", "decision", "outcome",
                      "state", "act", "kind", "phase", "part", "provider", "verdict",
                      "purpose", "stage", "what", "when", "source", "span", "progress", "process"}  # fmt: skip

"""`pingxuan reference`: tables of settings and metrics for deploy/README.md, and Grafana's dashboards, made from code.

The tidy tests compare; `--write` brings the files up to date. Nothing here runs in production.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_type_hints

import click
import msgspec

from services.cli.dashboards import BOARDS
from services.cli.dashboards.panels import board_json

README = Path(__file__).parents[2] / "deploy" / "README.md"
GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
SERVICES = ("registry", "voting", "scoring")
_SETTINGS = {"registry": "RegistrySettings", "voting": "VotingSettings", "scoring": "ScoringSettings"}
METRIC_MODULES = {
    "every service": ("services.shared.metrics",),
    **{service: (f"services.{service}.metrics",) for service in SERVICES},
    "pingxuan up": ("services.cli.metrics",),
}


class NoMarkers(click.ClickException):
    """The document cannot be brought up to date."""

    exit_code = 2


@click.group()
def reference() -> None:
    """Tables of settings and metrics as deploy/README.md has them, and the dashboards of deploy/grafana.

    \b
    Example:
      pingxuan reference settings --write
    """


_write = click.option("--write", is_flag=True, help="Put the table into deploy/README.md instead of printing it.")


@reference.command()
@_write
def settings(write: bool) -> None:
    """Every setting: variable, default, meaning.

    \b
    Example:
      pingxuan reference settings
    """
    _tell("settings", settings_table(), write)


@reference.command()
@_write
def metrics(write: bool) -> None:
    """Every metric: name, kind, labels, meaning.

    \b
    Example:
      pingxuan reference metrics
    """
    _tell("metrics", metrics_table(), write)


@reference.command()
@click.option("--write", is_flag=True, help="Write deploy/grafana/NAME.json instead of listing the dashboards.")
def dashboards(write: bool) -> None:
    """Grafana's dashboards.

    \b
    Example:
      pingxuan reference dashboards --write
    """
    for board in BOARDS:
        if write:
            (GRAFANA / f"{board.name}.json").write_text(board_json(board), encoding="utf-8")
        else:
            click.echo(f"{board.name:<10}{board.english} · {board.chinese}")


def _tell(name: str, table: str, write: bool) -> None:
    if not write:
        click.echo(table, nl=False)
        return
    text = README.read_text(encoding="utf-8")
    README.write_text(replaced(text, name, table), encoding="utf-8")


def between_markers(text: str, name: str) -> str:
    """What stands between `<!-- name -->` and `<!-- /name -->`; raises where a marker is missing."""
    _, opened, rest = text.partition(f"<!-- {name} -->\n")
    inside, closed, _ = rest.partition(f"<!-- /{name} -->")
    if not opened or not closed:
        raise NoMarkers(f"deploy/README.md has no lines <!-- {name} --> and <!-- /{name} -->: put them back")
    return inside


def replaced(text: str, name: str, table: str) -> str:
    """The document with the table between its markers."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    return text.replace(start + between_markers(text, name) + end, start + table + end)


def settings_table() -> str:
    """Markdown: first what every service has, then what is a service's own or differs there."""
    from services.shared.settings import ServiceSettings

    common = _rows(ServiceSettings, "<SERVICE>_")
    parts = [_section("every service", ("variable", "default", "meaning"), common.values())]
    for service in SERVICES:
        kind = getattr(importlib.import_module(f"services.{service}.settings"), _SETTINGS[service])
        own = _rows(kind, f"{service.upper()}_")
        differing = [row for name, row in own.items() if name not in common or row[1:] != common[name][1:]]
        if differing:
            parts.append(_section(service, ("variable", "default", "meaning"), differing))
    return "\n".join(parts)


def _rows(kind: type[msgspec.Struct], prefix: str) -> dict[str, tuple[str, str, str]]:
    """(variable, default, meaning) by field."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.name: (f"`{prefix}{field.name.upper()}`", _default(field), description(hints[field.name]))
        for field in msgspec.structs.fields(kind)
    }


def description(hint: object) -> str:
    """The sentence in a field's annotation; empty where it has none."""
    for note in getattr(hint, "__metadata__", ()):
        if isinstance(note, msgspec.Meta) and note.description:
            return note.description
    return ""


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "must be set"
    return f"`{field.default}`" if field.default != "" else "empty"


def metrics_table() -> str:
    """Markdown: the metrics of every service, then each service's own."""
    heads = ("metric", "kind", "labels", "meaning")
    return "\n".join(_section(title, heads, _metric_rows(modules)) for title, modules in METRIC_MODULES.items())


def _metric_rows(modules: Iterable[str]) -> Iterator[tuple[str, ...]]:
    from prometheus_client import Counter, Gauge, Histogram, Summary

    for module in modules:
        declared = vars(importlib.import_module(module)).items()
        for name, metric in declared:
            if isinstance(metric, Counter | Gauge | Histogram | Summary) and not name.startswith("_"):
                (family,) = metric.describe()
                shown = f"{family.name}_total" if family.type == "counter" else family.name
                labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
                yield f"`{shown}`", family.type, labels, family.documentation


def _section(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"**{title}**", "", _line(heads), _line(("---",) * len(heads))]
    return "\n".join([*lines, *map(_line, rows)]) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

"""What a dashboard consists of, and how it becomes Grafana's JSON. Pure.

Panels are laid out in their order, from left to right in rows of 24 columns, so that none overlaps another. Titles and
explanations are Chinese first, English behind it, in the words of the built-in status page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

COLUMNS = 24
# Of the Grafana that deploy/compose pins.
SCHEMA_VERSION = 41
RATE = "$__rate_interval"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, _AMBER, _RED = "green", "orange", "red"


class Unit(StrEnum):
    """How Grafana writes numbers."""

    COUNT = "short"
    PER_SECOND = "ops"
    SECONDS = "s"
    LEFT = "dtdurations"
    SHARE = "percentunit"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"


class Kind(StrEnum):
    """How a panel shows its numbers: over time, as one large figure now, or as rows of labels now."""

    LINES = "timeseries"
    FIGURE = "stat"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    """PromQL, and how its series are called; `{{label}}` stands for a label's word."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One picture. `amber` and `red` are from where on (or, with `low_is_bad`, below which) somebody should look."""

    chinese: str
    english: str
    meaning: tuple[str, str]
    queries: tuple[Query, ...]
    unit: Unit = Unit.COUNT
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 7
    stacked: bool = False
    amber: float | None = None
    red: float | None = None
    low_is_bad: bool = False

    @property
    def title(self) -> str:
        return f"{self.chinese} · {self.english}"


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    chinese: str
    english: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard; `name` is its file in deploy/grafana and the end of its address."""

    name: str
    chinese: str
    english: str
    rows: tuple[Row, ...]
    since: str = "now-1h"


def board_json(board: Board) -> str:
    """The file's text, the same for the same board."""
    made = {
        "uid": f"pingxuan-{board.name}",
        "title": f"评选 · {board.chinese} · {board.english}",
        "tags": ["pingxuan"],
        "timezone": "browser",
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": board.since, "to": "now"},
        "templating": {"list": [_DATASOURCE]},
        "annotations": {"list": [_ALERTS]},
        "links": [_OTHER_BOARDS],
        "panels": list(_laid_out(board.rows)),
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


_DATASOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}
_ALERTS = {
    "name": "告警 · Alerts", "enable": True, "iconColor": _RED, "datasource": _SOURCE,
    "expr": 'ALERTS{alertstate="firing", severity!="info"}', "titleFormat": "{{alertname}}", "step": "30s",
}  # fmt: skip
_OTHER_BOARDS = {
    "title": "评选", "type": "dashboards", "tags": ["pingxuan"], "asDropdown": True, "includeVars": True,
    "keepTime": True, "icon": "external link", "tooltip": "", "targetBlank": False,
}  # fmt: skip


def _laid_out(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for row in rows:
        number += 1
        yield _row_json(row, number, top)
        top += 1
        left = line_height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                left, top, line_height = 0, top + line_height, 0
            number += 1
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield {"id": number, "gridPos": place, **_panel_json(panel)}
            left, line_height = left + panel.width, max(line_height, panel.height)
        top += line_height


def _row_json(row: Row, number: int, top: int) -> dict[str, Any]:
    return {
        "id": number, "type": "row", "title": f"{row.chinese} · {row.english}", "collapsed": False, "panels": [],
        "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
    }  # fmt: skip


def _panel_json(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind.value,
        "title": panel.title,
        "description": " ".join(panel.meaning),
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel.kind),
        "targets": [_target(query, place, panel.kind) for place, query in enumerate(panel.queries)],
        **({"transformations": [_AS_COLUMNS, _WITHOUT_TIME]} if panel.kind is Kind.TABLE else {}),
    }


def _field(panel: Panel) -> dict[str, Any]:
    custom: dict[str, Any] = {}
    if panel.kind is Kind.LINES:
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if panel.stacked else 5,
                  "showPoints": "never", "spanNulls": False, "stacking": stacking,
                  "thresholdsStyle": {"mode": "off" if panel.red is None else "dashed"}}  # fmt: skip
    return {
        "unit": panel.unit.value, "color": {"mode": "palette-classic" if panel.kind is Kind.LINES else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel)}, "custom": custom, "noValue": "–",
    }  # fmt: skip


def _steps(panel: Panel) -> list[dict[str, Any]]:
    """Grafana colours from a value on; the first step has no value."""
    if panel.low_is_bad:
        known = [(value, colour) for value, colour in ((panel.red, _RED), (panel.amber, _AMBER)) if value is not None]
        colours = [*(colour for _, colour in known), _GREEN]
    else:
        known = [(value, colour) for value, colour in ((panel.amber, _AMBER), (panel.red, _RED)) if value is not None]
        colours = [_GREEN, *(colour for _, colour in known)]
    values = [None, *(value for value, _ in known)]
    return [{"value": value, "color": colour} for value, colour in zip(values, colours, strict=True)]


def _options(kind: Kind) -> dict[str, Any]:
    if kind is Kind.FIGURE:
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": "auto",
                "justifyMode": "auto", "orientation": "auto", "wideLayout": True, "showPercentChange": False,
                "percentChangeColorMode": "standard"}  # fmt: skip
    if kind is Kind.TABLE:
        return {"showHeader": True, "frameIndex": 0, "cellHeight": "sm", "sortBy": [{"displayName": "A", "desc": True}]}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _target(query: Query, place: int, kind: Kind) -> dict[str, Any]:
    now = kind is Kind.TABLE
    return {
        "refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query.expression,
        "legendFormat": query.legend, "instant": now, "range": not now,
        "format": "table" if now else "time_series",
    }  # fmt: skip


_AS_COLUMNS = {"id": "merge", "options": {}}
_WITHOUT_TIME = {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}}


def quantiles(metric: str, *shares: str, by: str = "") -> tuple[Query, ...]:
    """The given quantiles of a histogram, one line each (and for each word of the label `by`)."""
    labels, name = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    return tuple(
        Query(f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[{RATE}])))", f"{name}p{share[2:]}")
        for share in shares
    )


def rate(metric: str, *by: str, where: str = "") -> Query:
    """How often something happens each second, by labels."""
    matchers = f"{{{where}}}" if where else ""
    grouped = f"sum by ({', '.join(by)})" if by else "sum"
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return Query(f"{grouped} (rate({metric}{matchers}[{RATE}]))", legend or metric)


def level(metric: str, *by: str, how: str = "sum") -> Query:
    """How much there is now, by labels; `how` joins the processes that tell it."""
    grouped = f"{how} by ({', '.join(by)})" if by else how
    return Query(f"{grouped} ({metric})", " ".join(f"{{{{{label}}}}}" for label in by) or metric)

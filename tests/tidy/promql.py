"""Reads just enough of PromQL to tell which series a query asks for; whether it is PromQL, promtool tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"(?<![\w.])([a-zA-Z_][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|\w)")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_WORDS_OF_PROMQL = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Asked:
    """One selector: the metric and its matchers as (label, value); of a pattern every alternative."""

    metric: str
    matchers: tuple[tuple[str, str], ...]


def selectors(expression: str) -> list[Asked]:
    """Every series that is asked for."""
    bare = _GROUPING.sub(" ", expression)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    found = []
    for name, inside in _SELECTOR.findall(bare):
        if name in _WORDS_OF_PROMQL:
            continue
        matchers = [(label, word) for label, _, value in _MATCHER.findall(inside) for word in value.split("|")]
        found.append(Asked(name, tuple(matchers)))
    return found


def grouped(expression: str) -> set[str]:
    """Labels that anything is grouped by."""
    return {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",") if label.strip()}

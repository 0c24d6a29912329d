"""What the pages of one ranking show: rows by filter and page, a candidate with its marks, what was excluded. Pure.

Called by `pages_results.py` (the public) and `pages_rankings.py` (the office) with the body that their reader may see.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from services.scoring import names
from services.scoring.exports import files
from services.shared.ranking.bundle import Exclusion
from services.shared.ranking.numbers import print_number

Json = dict[str, Any]
# So that a page of a large round stays below 300 kB.
ROWS_MAX = 100
_TEXT_LENGTH_MAX = 100
_NARROWING = ("group", "outcome", "text")
_TEXTS = (*_NARROWING, "before", "after")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks of a list; `outcome` is `selected`, `reserve`, `none` or "" (any).

    `before` and `after` are versions that are compared.
    """

    group: str = ""
    outcome: str = ""
    text: str = ""
    before: str = ""
    after: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """Read an address; what it cannot mean asks for nothing, as a mistyped page does."""
        page = query.get("page", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) <= 6 else 1
        texts = {name: query.get(name, "").strip()[:_TEXT_LENGTH_MAX] for name in _TEXTS}
        return cls(**texts, page=max(1, number))

    @property
    def narrows(self) -> bool:
        """Whether rows of the ranking may be left out."""
        return any(getattr(self, name) for name in _NARROWING)

    def link(self, **changes: Any) -> str:
        """The query of this filter with changes; whatever but the page is changed begins at page 1 again."""
        asked = replace(self, **{"page": 1, **changes})
        told = {name: getattr(asked, name) for name in _TEXTS if getattr(asked, name)}
        return f"?{urlencode(told | ({'page': asked.page} if asked.page > 1 else {}))}"

    @property
    def rows(self) -> files.Filter:
        """The same filter of rows as the exports have."""
        return files.Filter(self.group, self.outcome, self.text)

    @property
    def export(self) -> str:
        """The query that cuts an export like the list; empty for the whole."""
        told = {name: getattr(self, name) for name in _NARROWING if getattr(self, name)}
        return f"?{urlencode(told)}" if told else ""

    def matches_change(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of a comparison is asked for; it tells group and title only."""
        return self.group in ("", row["group"]) and self.text.casefold() in row["title"].casefold()


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a long list: `number` of `pages`, `total` items in all."""

    items: Sequence[Item]
    number: int
    pages: int
    total: int


def page_of(items: Sequence[Item], number: int, size: int = ROWS_MAX) -> Page[Item]:
    """The page with a number; beyond the end the last one."""
    pages = max(1, -(-len(items) // size))
    at = min(number, pages)
    return Page(items[(at - 1) * size : at * size], at, pages, len(items))


def group_counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows each group has, in the order in which people read groups."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["group"]] += 1
    return {group: counts[group] for group in sorted(counts, key=names.group_order)}


def listing(rows: Sequence[Json], wanted: Filter) -> tuple[Page[Json], list[tuple[str, list[Json]]]]:
    """The page of the rows that match, and the same rows by group."""
    order = {group: position for position, group in enumerate(group_counts(rows))}
    matching = sorted((row for row in rows if wanted.rows.admits(row)), key=lambda row: order[row["group"]])
    page = page_of(matching, wanted.page)
    return page, [(group, list(members)) for group, members in groupby(page.items, key=lambda row: row["group"])]


@dataclass(frozen=True, slots=True)
class Standing:
    """One candidate among its group: `cut` is the total of the last selected, "" where nobody is.

    `distance` is the candidate's total less `cut`, with its sign.
    """

    row: Json
    of: int
    cut: str
    distance: str
    above: Json | None
    below: Json | None


def standing(rows: Sequence[Json], candidate: str) -> Standing | None:
    """Where a candidate stands; None when it is not among the rows."""
    row = next((each for each in rows if each["candidate"] == candidate), None)
    if row is None:
        return None
    group = [each for each in rows if each["group"] == row["group"]]
    at = group.index(row)
    selected = [each["total"] for each in group if each["outcome"] == "selected"]
    cut = min(selected, key=Fraction, default="")
    return Standing(
        row=row,
        of=len(group),
        cut=cut,
        distance=signed_difference(row["total"], cut) if cut else "",
        above=group[at - 1] if at else None,
        below=group[at + 1] if at + 1 < len(group) else None,
    )


def signed_difference(one: str, other: str) -> str:
    """`one` less `other`, exactly, with the decimals that they have."""
    decimals = max(len(text.partition(".")[2]) for text in (one, other))
    difference = Fraction(one) - Fraction(other)
    return ("+" if difference > 0 else "") + print_number(difference, decimals, "half_up")


def marks_of(scores: bytes, candidate: str) -> dict[str, dict[str, str]]:
    """One candidate's marks in a scores.csv: pseudonym → criterion → mark."""
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(scores.decode())):
        if row["candidate"] == candidate:
            found.setdefault(row["expert"], {})[row["criterion"]] = row["score"]
    return dict(sorted(found.items()))


def dropped_marks(document: Mapping[str, Any] | None, candidate: str) -> set[tuple[str, str]]:
    """(pseudonym, criterion) of the marks that trimming left out; criterion "" is the whole sheet."""
    told = [] if document is None else document.get("marks", [])
    return {
        (each["expert"], each["criterion"]) for of in told if of["candidate"] == candidate for each in of["dropped"]
    }


@dataclass(frozen=True, slots=True)
class ExclusionReport:
    """Choices on excluded ballots, counted by reason, by day, and one by one as published."""

    by_reason: dict[str, int]
    by_day: dict[str, int]
    page: Page[Exclusion]


def exclusion_report(exclusions: Sequence[Exclusion], wanted: Filter) -> ExclusionReport:
    """`wanted.text` may name a candidate; the sums are always of everything."""
    reasons: dict[str, int] = defaultdict(int)
    days: dict[str, int] = defaultdict(int)
    for each in exclusions:
        reasons[each.reason] += each.ballots
        days[each.day] += each.ballots
    shown = [each for each in exclusions if wanted.text in ("", each.candidate)]
    ordered = sorted(shown, key=lambda each: (each.day, each.reason, each.candidate))
    return ExclusionReport(dict(sorted(reasons.items())), dict(sorted(days.items())), page_of(ordered, wanted.page))

"""A result as values: what `rank` returns, and the file that is published of it."""

from dataclasses import dataclass
from fractions import Fraction

from services.shared.ranking.csv_files import write_rows
from services.shared.ranking.expert_scores import Dropped
from services.shared.ranking.selection import Outcome

COLUMNS = ("group", "place", "candidate", "total", "vote_points", "expert_points", "tie_break", "outcome")


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate's result. Points are None, and their text "", where that side gave the candidate nothing.

    The first columns are those of ranking.csv; `votes` are the uncapped counted votes (None: no votes given),
    `sheets` the number of expert sheets, `aggregates` and `components` the experts' side by criterion in file order.
    """

    group: str
    place: int
    candidate: str
    total: Fraction
    vote_points: Fraction | None
    expert_points: Fraction | None
    tie_break: str
    outcome: Outcome
    total_text: str
    vote_points_text: str
    expert_points_text: str
    votes: int | None
    sheets: int
    aggregates: tuple[Fraction, ...]
    components: tuple[Fraction, ...]
    dropped: tuple[Dropped, ...]
    fell_back: bool


@dataclass(frozen=True, slots=True)
class Fallback:
    """A candidate with fewer marks than the panel rule asks for, aggregated by `method` instead."""

    group: str
    candidate: str
    marks: int
    panel_min: int
    method: str


@dataclass(frozen=True, slots=True)
class TieBreak:
    """A candidate whose place a link of the chain decided."""

    group: str
    candidate: str
    link: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """A whole result: rows sorted by group, place, candidate; what was decided on the way; sentences for people."""

    rules_digest: str
    rows: tuple[Row, ...]
    fallbacks: tuple[Fallback, ...]
    tie_breaks: tuple[TieBreak, ...]
    notes: tuple[str, ...]
    published_outcomes: tuple[Outcome, ...]


def ranking_csv(ranking: Ranking) -> bytes:
    """Return ranking.csv as it is published: all rows, or only the selected where the rules say so."""
    rows = (
        (
            row.group,
            str(row.place),
            row.candidate,
            row.total_text,
            row.vote_points_text,
            row.expert_points_text,
            row.tie_break,
            row.outcome,
        )
        for row in ranking.rows
        if row.outcome in ranking.published_outcomes
    )
    return write_rows(COLUMNS, rows)

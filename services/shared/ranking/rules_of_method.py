"""The part of `rules.toml` that decides the ranking: [experts], [votes] and [combination].

Called by `rules.parse_rules` only; each reader returns a checked value or raises InputError at the line.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from services.shared.ranking.errors import shown
from services.shared.ranking.fields import Table
from services.shared.ranking.model import Combination, Criterion, Experts, Votes

TIE_BREAK_LINKS = ("experts", "criteria", "votes", "lots")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_experts(table: Table) -> Experts:
    """Read [experts]; the panel rule must leave at least one mark after trimming."""
    table.only(*Experts.__dataclass_fields__)
    words = Experts.__annotations__
    experts = Experts(
        adjust=table.word("adjust", "none", words["adjust"]),
        aggregate=table.word("aggregate", "mean", words["aggregate"]),
        order=table.word("order", "criterion_first", words["order"]),
        trim_low=table.integer("trim_low", 0),
        trim_high=table.integer("trim_high", 0),
        panel_min=table.integer("panel_min", 1),
        fallback=table.word("fallback", "mean", words["fallback"]),
        aggregate_decimals=table.decimals("aggregate_decimals"),
        component_decimals=table.decimals("component_decimals"),
        points=table.list_of_points("points"),
        ridge=table.decimal("ridge", "1"),
        marks_min=table.integer("marks_min", 15, minimum=1),
    )
    _check_panel(table, experts)
    if experts.ridge == 0:
        table.refuse("ridge", 'ridge must be above 0, or the fit has many solutions; "1" is usual')
    _check_points(table, experts.aggregate == "rank_points", experts.points)
    return experts


def _check_panel(table: Table, experts: Experts) -> None:
    trimmed = experts.trim_low + experts.trim_high
    if experts.panel_min > trimmed:
        return
    written = [key for key in ("panel_min", "trim_low", "trim_high") if key in table]
    table.refuse(
        written[0] if written else None,
        f"panel_min {experts.panel_min} must be above trim_low + trim_high = {trimmed}; raise it or trim less",
    )


def _check_points(table: Table, is_needed: bool, points: Sequence[Fraction]) -> None:
    if is_needed and not points:
        table.refuse("points" if "points" in table else None, "rank_points needs points, like points = [10, 8, 6]")


def read_votes(table: Table) -> Votes:
    """Read [votes]; a cap is a share above 0 and at most 1."""
    table.only(*Votes.__dataclass_fields__)
    words = Votes.__annotations__
    votes = Votes(
        transform=table.word("transform", "raw", words["transform"]),
        per=table.word("per", "all", words["per"]),
        cap=table.decimal_or_none("cap"),
        points=table.list_of_points("points"),
        ties=table.word("ties", "average", words["ties"]),
        decimals=table.decimals("decimals"),
    )
    if votes.cap is not None and not 0 < votes.cap <= 1:
        table.refuse("cap", 'cap is a share above 0 and at most 1, like "0.25", or "" for none')
    _check_points(table, votes.transform == "rank_points", votes.points)
    return votes


def read_combination(table: Table, criteria: Sequence[Criterion]) -> Combination:
    """Read [combination]; the tie-break chain may name the criteria of the same file."""
    table.only(*Combination.__dataclass_fields__)
    words = Combination.__annotations__
    return Combination(
        votes=table.decimal("votes", "0"),
        experts=table.decimal("experts", "0"),
        experts_transform=table.word("experts_transform", "none", words["experts_transform"]),
        experts_decimals=table.decimals("experts_decimals"),
        decimals=table.decimals("decimals"),
        rounding=table.word("rounding", "half_up", words["rounding"]),
        tie_break=_read_tie_break(table, criteria),
        lots_commitment=_read_commitment(table),
    )


def _read_tie_break(table: Table, criteria: Sequence[Criterion]) -> tuple[str, ...]:
    links = table.list_of_texts("tie_break")
    known = {*TIE_BREAK_LINKS, *(f"criterion:{criterion.id}" for criterion in criteria)}
    for link in links:
        if link not in known:
            allowed = f"{', '.join(TIE_BREAK_LINKS)} or criterion:<id> of one of the criteria"
            table.refuse("tie_break", f"tie_break names {shown(link)}; use {allowed}")
    return links


def _read_commitment(table: Table) -> str:
    commitment = table.text("lots_commitment").lower()
    if commitment and not _SHA256.fullmatch(commitment):
        table.refuse("lots_commitment", 'lots_commitment must be the SHA-256 of the seed in 64 hex digits, or ""')
    return commitment

"""The progress board: who is behind on which panel, who signed the letter, who was reminded, what lacks marks. Pure.

Called by `office/api.py` with what the stores tell; knows states, never marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.scoring.panels.panel import MARKS_MIN
from services.scoring.panels.reserves import group_of
from services.scoring.progress import counting
from services.scoring.records import SheetState, SheetStatus
from services.scoring.rounds import Round

Json = dict[str, Any]


def board(
    round_: Round,
    statuses: Sequence[SheetStatus],
    names: Mapping[str, str],
    signed: Mapping[str, datetime],
    saved: Mapping[str, datetime],
    reminded: Mapping[str, tuple[datetime, int]],
) -> list[Json]:
    """One document a group: its experts, those furthest behind first, and candidates with too few experts left."""
    relevant = counting(round_, statuses)
    state_of = {(each.expert, each.candidate): each.state for each in relevant}
    groups: dict[str, list[str]] = {}
    for card in round_.standing:
        groups.setdefault(group_of(round_, card), []).append(card.candidate)
    experts = round_.panel({each.expert for each in relevant})
    told: list[Json] = []
    for group, candidates in groups.items():
        rows = [_row(round_, expert, candidates, state_of) for expert in experts]
        present = sorted((row for row in rows if row["assigned"]), key=lambda row: (-row["open"], row["expert"]))
        for row in present:
            name = row["expert"]
            at, times = reminded.get(name, (None, 0))
            row |= {"name": names.get(name, ""), "letter_signed_at": signed.get(name), "last_saved_at": saved.get(name)}
            row |= {"reminded_at": at, "reminders": times}
        short = [each for each in candidates if _marks_possible(round_, experts, each, state_of) < MARKS_MIN]
        told.append({"group": group, "candidates": len(candidates), "experts": present, "short_of_marks": short})
    return told


def _row(round_: Round, expert: str, candidates: Sequence[str], state_of: Mapping[tuple[str, str], SheetState]) -> Json:
    own = [each for each in candidates if round_.scores(expert, each)]
    states = [state_of.get((expert, each)) for each in own]
    done = {state: states.count(state) for state in SheetState}
    return {
        "expert": expert,
        "assigned": len(own),
        "saved": done[SheetState.DRAFT],
        "submitted": done[SheetState.SUBMITTED],
        "recused": done[SheetState.RECUSED],
        "open": len(own) - done[SheetState.SUBMITTED] - done[SheetState.RECUSED],
    }


def _marks_possible(
    round_: Round, experts: Sequence[str], candidate: str, state_of: Mapping[tuple[str, str], SheetState]
) -> int:
    """How many sheets a candidate has or may still get."""
    return sum(
        round_.scores(expert, candidate) and state_of.get((expert, candidate)) is not SheetState.RECUSED
        for expert in experts
    )

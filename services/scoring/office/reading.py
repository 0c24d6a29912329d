"""What the office's pages and lists read: where a meeting stands, paper sheets, conflicts found and declared.

Reads only, and never a mark of a sheet that others may not see. Called by `reading_api.py` and the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.scoring import sheets
from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.office import meeting, papers, reading_store, store
from services.scoring.panels import store as panel_store
from services.scoring.panels.conflicts import Tie, ties
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.messages import CandidateCard
from services.shared.staff import Staff

Json = dict[str, Any]


async def turn(desk: Desk, round_: Round) -> Json:
    """Whose turn it is, the same for all of the panel and the office; `state` none, under_way or ended."""
    held = await store.meeting(desk.pool, round_.id)
    if held is None:
        return {"state": "none", "meeting": 0, "step": 0, "chair": "", "present": [], "candidate": "", "waits_for": []}
    waiting: tuple[str, ...] = ()
    if held.candidate and not held.ended:
        waiting = meeting.waits_for(round_, held, await scoring_store.sheet_statuses(desk.pool, round_.id))
    return {
        "state": "ended" if held.ended else "under_way",
        "meeting": held.meeting,
        "step": held.step,
        "chair": held.chair,
        "present": list(held.present),
        "candidate": held.candidate,
        "waits_for": list(waiting),
    }


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A paper sheet in a list: `state` waits, differs or counted, from entries of so many clerks."""

    paper: store.Paper
    state: str
    clerks: tuple[str, ...]


async def paper_rows(desk: Desk, round_: Round, after: str, limit: int, expert: str = "") -> list[PaperRow]:
    """Paper sheets from after a code on; the clerks' names, never what they read."""
    found = await reading_store.papers(desk.pool, round_.id, after, limit, expert)
    entries = await reading_store.entries_of(desk.pool, [each.code for each in found])
    return [_paper_row(round_, each, entries[each.code]) for each in found]


def _paper_row(round_: Round, paper: store.Paper, entries: Sequence[store.Entry]) -> PaperRow:
    read = papers.read(round_, paper, entries)
    state = "counted" if read.counted else "differs" if read.differences else "waits"
    return PaperRow(paper, state, tuple(dict.fromkeys(each.clerk for each in entries)))


async def newest_entry_of(desk: Desk, code: str, clerk: str) -> store.Entry | None:
    """What this clerk read off last; nobody else's."""
    own = [each for each in await store.entries(desk.pool, code) if each.clerk == clerk]
    return own[-1] if own else None


@dataclass(frozen=True, slots=True)
class Found:
    """A conflict that facts tell, and what the facts are; `scores` says whether the expert sits on that panel."""

    expert: str
    card: CandidateCard
    ties: tuple[Tie, ...]
    scores: bool


async def conflicts_found(desk: Desk, round_: Round) -> list[Found]:
    """Every conflict that stands, by expert and number; those of panel members and of the pool."""
    facts: dict[str, list[Any]] = {}
    for expert, each in await panel_store.facts_of_experts(desk.pool, round_.id):
        facts.setdefault(expert, []).append(each)
    told = []
    for expert in sorted(round_.conflicts):
        for card in round_.standing:
            if card.candidate in round_.conflicts[expert]:
                kinds = tuple(tie for tie in Tie if any(tie in ties(each, card) for each in facts.get(expert, [])))
                told.append(Found(expert, card, kinds, round_.is_panellist(expert)))
    return told


def may_decide(official: Staff, round_: Round, candidate: str, expert: str) -> bool:
    """Whether somebody of the office may act on this expert and candidate: nobody does on what concerns themselves."""
    card = round_.card(candidate)
    try:
        if card is not None:
            sheets.require_untied(official, card)
    except Refusal:
        return False
    return official.username != expert and not round_.is_tied(official.username, candidate)

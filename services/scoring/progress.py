"""Who has scored what, and whether the sheets allow a ranking. Pure; knows states, never marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from services.scoring.reasons import Reason
from services.scoring.records import SheetState, SheetStatus
from services.scoring.rounds import Round
from services.shared.errors import Refusal

_NAMED_MAX = 50


class ExpertProgress(msgspec.Struct, frozen=True):
    """One expert's sheets: `saved` are begun and still open; what is left of `assigned` was never begun."""

    expert: str
    assigned: int
    saved: int
    submitted: int
    recused: int


def counting(round_: Round, statuses: Iterable[SheetStatus]) -> list[SheetStatus]:
    """The sheets that belong to the result: of candidates who did not withdraw, by experts who score them."""
    standing = {card.candidate for card in round_.standing}
    return [each for each in statuses if each.candidate in standing and round_.scores(each.expert, each.candidate)]


def panel_progress(round_: Round, statuses: Sequence[SheetStatus]) -> list[ExpertProgress]:
    """Progress of every member of the panel, in the panel's order."""
    relevant = counting(round_, statuses)
    return [
        ExpertProgress(
            expert=expert,
            assigned=len(round_.cards_of(expert)),
            saved=_count(relevant, expert, SheetState.DRAFT),
            submitted=_count(relevant, expert, SheetState.SUBMITTED),
            recused=_count(relevant, expert, SheetState.RECUSED),
        )
        for expert in round_.panel({each.expert for each in relevant})
    ]


def _count(statuses: Iterable[SheetStatus], expert: str, state: SheetState) -> int:
    return sum(each.expert == expert and each.state is state for each in statuses)


def require_scored(round_: Round, statuses: Sequence[SheetStatus], now: datetime) -> None:
    """Raise Refusal while a sheet is open, or while experts may still begin one that would change the result.

    An assigned sheet that was never begun is a missing mark once the window is over.
    """
    drafts = [each for each in counting(round_, statuses) if each.state is SheetState.DRAFT]
    if drafts:
        named = [{"expert": each.expert, "candidate": each.candidate} for each in drafts[:_NAMED_MAX]]
        first = f"{drafts[0].expert} on {drafts[0].candidate}"
        more = f" and {len(drafts) - 1} more" if len(drafts) > 1 else ""
        detail = f"Open sheets: {first}{more}; have them submitted, or declare why the expert does not score."
        raise Refusal(Reason.SHEET_OPEN, detail, sheets=named)
    window = round_.window()
    if window is None or now >= window.closes or round_.rules.combination.experts == 0:
        return
    if _waits_for_experts(round_, statuses):
        detail = "Experts can still score: wait until every assigned sheet is submitted, or until the window closes."
        raise Refusal(Reason.SCORING_OPEN, detail, closes_at=window.closes)


def _waits_for_experts(round_: Round, statuses: Sequence[SheetStatus]) -> bool:
    if not round_.message.experts and not round_.seats:
        return not any(each.state is SheetState.SUBMITTED for each in counting(round_, statuses))
    return any(each.submitted + each.recused < each.assigned for each in panel_progress(round_, statuses))

"""What an operator watches of scoring, as metrics: one step of the elected process. Counts of sheets, never a mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from services.scoring import metrics, store
from services.scoring.desk import Desk
from services.scoring.metrics import Progress
from services.scoring.progress import ExpertProgress, panel_progress
from services.scoring.records import SheetState


async def watch_once(desk: Desk) -> int:
    """Set every gauge; always idle afterwards."""
    counts = await store.count_open_rounds_sheets(desk.pool)
    for state in SheetState:
        metrics.scoring_sheets.labels(state).set(counts.get(state.value, 0))
    await _watch_panels(desk)
    return 0


async def _watch_panels(desk: Desk) -> None:
    """Of rounds whose experts score or have scored, until the ranking is published."""
    now, panels, closing = desk.clock.now(), list[ExpertProgress](), list[float]()
    for each in await desk.rounds():
        window = each.window_state(now)
        if window.state not in ("open", "closed") or each.message.ranking_version:
            continue
        panels += panel_progress(each, await store.sheet_statuses(desk.pool, each.id))
        if window.state == "open" and window.closes_at is not None:
            closing.append((window.closes_at - now).total_seconds())
    metrics.scoring_closes_in_seconds.set(min(closing, default=0))
    metrics.scoring_sheets_missing.set(sum(each.assigned - each.submitted - each.recused for each in panels))
    experts = _by_progress(panels)
    for progress in Progress:
        metrics.scoring_experts.labels(progress).set(experts[progress])


def _by_progress(panels: Iterable[ExpertProgress]) -> Counter[Progress]:
    return Counter(_progress(each) for each in panels)


def _progress(expert: ExpertProgress) -> Progress:
    if expert.submitted + expert.recused >= expert.assigned:
        return Progress.DONE
    return Progress.WORKING if expert.saved or expert.submitted or expert.recused else Progress.NOT_BEGUN

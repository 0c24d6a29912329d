"""An expert's sheets on paper, all at once: for the day on which the network fails."""

from __future__ import annotations

from services.scoring import sheets
from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.office import papers, reading
from services.scoring.office.store import Paper
from services.scoring.reasons import Reason
from services.scoring.records import SheetState
from services.shared.errors import Refusal
from services.shared.staff import Staff


async def issue(desk: Desk, official: Staff, round_id: str, expert: str, candidate: str = "") -> list[Paper]:
    """Give out what the expert has not submitted, or the named candidate's sheet; asking again gives the same codes.

    What concerns the one who asks is left out of a whole set: a colleague gives that out. Raises Refusal where nothing
    is left.
    """
    if candidate:
        return [await papers.issue(desk, official, round_id, candidate, expert)]
    found = await desk.round(round_id)
    own = await scoring_store.sheets_of_expert(desk.pool, found.id, sheets.clean_text(expert, 200, "expert"))
    closed = {name for name, sheet in own.items() if sheet.state is not SheetState.DRAFT}
    wanted = [
        card.candidate
        for card in found.cards_of(expert)
        if card.candidate not in closed and reading.may_decide(official, found, card.candidate, expert)
    ]
    if not wanted:
        raise Refusal(Reason.NOT_ASSIGNED, "No open sheet of this expert is left to give out; check the user name.")
    return [await papers.issue(desk, official, found.id, each, expert) for each in wanted]

"""Whose turn it is in a review meeting: while one is under way, whoever is present scores the open candidate only."""

from __future__ import annotations

from services.scoring.office import store
from services.scoring.reasons import Reason
from services.shared.errors import Refusal
from services.shared.postgres import Connection


async def require_turn(connection: Connection, round_id: str, candidate: str, expert: str) -> None:
    """Raises Refusal `not_in_meeting` for a present expert at another candidate than the open one."""
    meeting = await store.meeting(connection, round_id)
    if meeting is None or meeting.ended or expert not in meeting.present or meeting.candidate == candidate:
        return
    waits = f"The meeting is at candidate {meeting.candidate}." if meeting.candidate else "The chair has opened none."
    raise Refusal(Reason.NOT_IN_MEETING, f"{waits} Wait until the chair opens this one.", candidate=meeting.candidate)

"""Objections as callers see them: what a receipt shows to everybody, and what the office sees. Never the objector."""

from datetime import datetime
from typing import Any

import msgspec

from services.registry.calendar.days import WorkingCalendar
from services.registry.objections.duties import due
from services.registry.objections.office import actions
from services.registry.objections.rules import OPEN_STATES, ObjectionState
from services.registry.objections.store import Objection
from services.shared.staff import Staff


def public_json(found: Objection, calendar: WorkingCalendar, now: datetime) -> dict[str, Any]:
    """State and reply: nothing of the text, the candidate or the objector: receipts are asked for under pressure.

    A first signature under upholding is told as being handled: it may still be sent back.
    """
    state = "in_hand" if found.state in (ObjectionState.ASSIGNED, ObjectionState.DECIDING) else found.state.value
    answered = found.state not in OPEN_STATES
    return {
        "receipt": found.receipt,
        "round": found.round,
        "round_title": found.round_title,
        "received_on": found.received_on,
        "state": state,
        **msgspec.structs.asdict(due(found, calendar, now)),
        "answered_at": found.answered_at,
        "reply": found.reply if answered else "",
    }


def line_json(found: Objection, calendar: WorkingCalendar, now: datetime, staff: Staff) -> dict[str, Any]:
    """A line of the office's list: without the text, so that looking over the list reads nobody's words."""
    whole = office_json(found, calendar, now, staff)
    del whole["text"], whole["reply"]
    return whole


def office_json(found: Objection, calendar: WorkingCalendar, now: datetime, staff: Staff) -> dict[str, Any]:
    """A whole objection for the office."""
    return {
        **msgspec.structs.asdict(found),
        **msgspec.structs.asdict(due(found, calendar, now)),
        "actions": actions(found, staff),
    }

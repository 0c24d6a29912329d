"""Lists, differences and proposals as callers see them. Pure values for `api.py` and `pages.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.registry.lists.changes import REASON_NAMES, Change, Difference
from services.registry.lists.lists import Entry
from services.registry.lists.proposal_store import Proposal, State
from services.registry.lists.store import Notice, Version
from services.registry.rounds.views import Round
from services.shared.messages import CandidateCard
from services.shared.staff import Role, Staff


def version_json(version: Version, newest: int) -> dict[str, Any]:
    return {**msgspec.structs.asdict(version), "newest": version.version == newest}


def notice_json(notice: Notice, differences: Sequence[Difference], round_: Round) -> dict[str, Any]:
    """A list with its notice and its difference from the one before."""
    return {
        **msgspec.structs.asdict(notice),
        "newest": notice.version == round_.list_version,
        "difference": [difference_json(each, cards_of(round_)) for each in differences],
    }


def cards_of(round_: Round) -> dict[str, CandidateCard]:
    return {card.candidate: card for card in round_.candidates}


def difference_json(difference: Difference, cards: Mapping[str, CandidateCard]) -> dict[str, Any]:
    """Who moved, by how much and why."""
    card = cards[difference.candidate]
    return {
        "candidate": difference.candidate,
        "number": card.number,
        "title": card.title,
        "unit": card.unit,
        "move": difference.move,
        "places_moved": difference.places_moved,
        "before": _line(difference.before, card),
        "after": _line(difference.after, card),
        "why": [change_json(change) for change in difference.why],
    }


def _line(entry: Entry | None, card: CandidateCard) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "group": entry.group, "place": entry.place, "total": entry.total, "outcome": entry.outcome,
        "level": entry.level or card.level,
    }  # fmt: skip


def change_json(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "reason": change.reason, "reason_name": REASON_NAMES[change.reason],
            "text": change.text, "level": change.level}  # fmt: skip


def proposal_json(proposal: Proposal, staff: Staff) -> dict[str, Any]:
    """A proposal, and what this person may do with it."""
    return {**msgspec.structs.asdict(proposal), "actions": _actions(proposal, staff)}


def _actions(proposal: Proposal, staff: Staff) -> list[str]:
    if not staff.has(Role.ADMINISTRATOR):
        return []
    if proposal.state is State.PROPOSED:
        return ["withdrawal"] if proposal.proposed_by == staff.staff else ["confirmation", "withdrawal"]
    return ["withdrawal"] if proposal.state is State.SCHEDULED else []

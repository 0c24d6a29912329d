"""JSON shapes of the API: plain dictionaries from records. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.scoring.marks import extreme, missing
from services.scoring.progress import ExpertProgress
from services.scoring.records import Ranking, Reopening, Sheet, Tally
from services.scoring.rounds import Round
from services.shared.messages import CandidateCard
from services.shared.ranking.model import Criterion, Window
from services.shared.ranking.numbers import print_number

Json = dict[str, Any]


def window_json(window: Window | None) -> Json | None:
    return None if window is None else {"opens_at": window.opens, "closes_at": window.closes}


def round_json(round_: Round, now: datetime, published_version: int) -> Json:
    """Public facts of a round; nothing that depends on votes or marks before publication."""
    message = round_.message
    return {
        "round": round_.id,
        "title": round_.title,
        "version": message.version,
        "digest": message.digest,
        "rules_digest": message.digest,
        "rehearsal": message.rehearsal,
        "candidates": len(message.candidates),
        "windows": {"voting": window_json(round_.rules.windows.voting), "scoring": window_json(round_.window())},
        "scoring": round_.window_state(now),
        "published_version": published_version or None,
    }


def sheet_json(round_: Round, sheet: Sheet) -> Json:
    """An expert's own sheet."""
    return {
        "round": sheet.round,
        "candidate": sheet.candidate,
        "expert": sheet.expert,
        "version": sheet.version,
        "state": sheet.state.value,
        "marks": {name: sheet.marks[name] for name in _ids(round_) if name in sheet.marks},
        "comments": sheet.comments,
        "comment": sheet.comment,
        "missing": missing(sheet.marks, round_.criteria),
        "extreme": extreme(sheet.marks, round_.criteria),
        "saved_at": sheet.saved_at,
        "submitted_at": sheet.submitted_at,
    }


def _ids(round_: Round) -> list[str]:
    return [criterion.id for criterion in round_.criteria]


def queue_json(round_: Round, sheets: Mapping[str, Sheet], expert: str, now: datetime) -> Json:
    """Everything an expert has to score in a round, in the order of the drawn numbers."""
    return {
        "round": round_.id,
        "title": round_.title,
        "window": round_.window_state(now),
        "criteria": [_criterion_json(round_, criterion) for criterion in round_.criteria],
        "sheets": [_queued(round_, card, sheets.get(card.candidate), expert) for card in round_.cards_of(expert)],
    }


def _queued(round_: Round, card: CandidateCard, sheet: Sheet | None, expert: str) -> Json:
    shown = sheet_json(round_, sheet or Sheet(round_.id, card.candidate, expert))
    facts = ("number", "title", "unit", "channel", "category", "level")
    return {name: getattr(card, name) for name in facts} | shown


def _criterion_json(round_: Round, criterion: Criterion) -> Json:
    text = round_.text_of(criterion.id)
    return {
        "criterion": criterion.id,
        "title": criterion.title,
        "weight": print_number(criterion.weight, None, "half_up"),
        "min": print_number(criterion.minimum, None, "half_up"),
        "max": None if criterion.maximum is None else print_number(criterion.maximum, None, "half_up"),
        "step": print_number(criterion.step, None, "half_up"),
        "description": text.description,
        "anchors": text.anchors,
    }


def ranking_json(ranking: Ranking, state: str) -> Json:
    """What is said of a ranking without its rows."""
    return {
        "version": ranking.version,
        "state": state,
        "proposed_by": ranking.proposed_by,
        "proposed_at": ranking.created_at,
        "published_by": [ranking.proposed_by, ranking.confirmed_by] if ranking.published_at else None,
        "published_at": ranking.published_at,
        "digest": ranking.digest,
        "rules_digest": ranking.rules_digest,
        "tally_version": ranking.tally_version,
        "tally_digest": ranking.tally_digest,
        "sheets_digest": ranking.sheets_digest,
        "software": ranking.software,
    }


def state_json(
    round_: Round,
    now: datetime,
    panel: Sequence[ExpertProgress],
    names: Mapping[str, str],
    tally: Tally | None,
    reopening: Reopening | None,
    rankings: Sequence[Json],
) -> Json:
    """The office's view of a round: states and counts of sheets, never a mark or a vote."""
    return {
        "round": round_.id,
        "window": round_.window_state(now),
        "panel": [{**msgspec.to_builtins(each), "name": names.get(each.expert, "")} for each in panel],
        "tally": tally and {"version": tally.version, "sealed_at": tally.sealed_at, "digest": tally.digest},
        "reopening": reopening,
        "rankings": list(rankings),
    }

"""Scoring's own part of `GET …/status`: sheets by state and what was done; never a mark."""

from __future__ import annotations

from typing import Any

from litestar import Request

from services.scoring.desk import desk_of
from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, SCORING_RANKINGS, VOTING_TALLIES
from services.shared.status import Observed, Samples, status_route


async def _own(samples: Samples) -> dict[str, Any]:
    return {
        "sheets": samples.by("scoring_sheets", "state"),
        "sheet_acts": samples.by("scoring_sheet_acts_total", "act"),
        "office_acts": samples.by("scoring_office_acts_total", "act"),
        "tallies": samples.total("scoring_tallies_total"),
        "rankings": samples.total("scoring_rankings_total"),
        "publications": samples.total("scoring_publications_total"),
    }


def _observe(request: Request[Any, Any, Any]) -> Observed:
    desk = desk_of(request)
    return Observed(
        "scoring", desk.settings, desk.door, request.app.state.health,
        follows=[REGISTRY_ROUNDS, REGISTRY_STAFF, VOTING_TALLIES], publishes=[SCORING_RANKINGS], own=_own,
    )  # fmt: skip


get_status = status_route("/api/scoring/v1", _observe)

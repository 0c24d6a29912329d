"""What may stand in each label of each metric: the enums of the code. A label that is not here must be in `FREE`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from services.cli.embedded.keys import SERVICES
from services.registry import metrics as registry
from services.registry.applications.stages import Stage
from services.registry.attachments.records import Purpose
from services.registry.grants.records import BookingKind, Overdue
from services.registry.objections.rules import ObjectionState
from services.registry.reasons import RegistryReason
from services.registry.staff.sessions import SignInOutcome
from services.scoring import metrics as scoring
from services.scoring.office.proposals import Kind as ProposalKind
from services.scoring.reasons import Reason as ScoringReason
from services.scoring.records import SheetAct, SheetState
from services.shared import messages
from services.shared.errors import CommonReason
from services.shared.live import Audience
from services.shared.loops import Run
from services.shared.servers import Ended, Found
from services.voting import metrics as voting
from services.voting.delivery.provider import Failure
from services.voting.holds import HoldReason
from services.voting.identity.verification import Verdict
from services.voting.reasons import Reason
from services.voting.rounds import Phase

# Bounded by the code, the protocol or the settings, without an enum of their own.
FREE = {"route", "method", "status", "loop", "provider"}


def words(*enums: Iterable[Enum]) -> set[str]:
    return {str(member.value) for enum in enums for member in enum}


_STREAMS = {
    value for name, value in vars(messages).items() if name.isupper() and isinstance(value, str) and "." in value
}
_REASONS = words(CommonReason, Reason)
WORDS: dict[str, dict[str, set[str]]] = {
    "refusals_total": {"reason": _REASONS | words(RegistryReason, ScoringReason)},
    "live_streams": {"kind": words(Audience)},
    "loop_runs_total": {"result": words(Run)},
    **{
        name: {"stream": _STREAMS}
        for name in (
            "relay_published_total", "relay_rebuilt_total", "relay_last_number", "follower_applied_total",
            "follower_gaps_total", "follower_restarts_total", "follower_lag_entries", "follower_lag_seconds",
        )
    },
    "postgres_transactions_total": {"outcome": words(Ended)},
    "postgres_blocks_total": {"source": words(Found)},
    "ballot_decisions_total": {"decision": {"recorded", "repeated"} | _REASONS},
    "turnstile_decisions_total": {"decision": words(voting.TurnstileWord)},
    "codes_total": {"outcome": {"sent"} | _REASONS},
    "sessions_total": {"outcome": {"signed_in"} | _REASONS},
    "codes_spent": {"span": words(voting.Span)},
    "codes_spent_max": {"span": words(voting.Span)},
    "code_deliveries_total": {"outcome": {"accepted"} | words(Failure)},
    "delivery_reports_total": {"outcome": words(voting.Arrived)},
    "identity_verifications_total": {"verdict": words(Verdict)},
    "challenge_answers_total": {"outcome": words(voting.Answered)},
    "voting_rounds": {"phase": words(Phase)},
    "voting_turnout": {"phase": words(Phase)},
    "voting_ballots": {"phase": words(Phase), "state": words(voting.BallotState)},
    "suspected_ballots": {"reason": words(HoldReason), "state": words(voting.BallotState)},
    "decided_ballots": {"state": words(voting.BallotState)},
    "scoring_sheets": {"state": words(SheetState)},
    "scoring_experts": {"progress": words(scoring.Progress)},
    "scoring_sheet_acts_total": {"act": words(SheetAct)},
    "scoring_office_acts_total": {"act": words(scoring.OfficeAct, ProposalKind)},
    "registry_sign_ins_total": {"outcome": words(SignInOutcome)},
    "registry_rounds_loaded_total": {"outcome": words(registry.Loading, RegistryReason)},
    "registry_attachments_bytes_total": {"purpose": words(Purpose)},
    "registry_attachments_refused_total": {"reason": words(RegistryReason)},
    "registry_applications": {"stage": words(Stage)},
    "registry_project_bookings_total": {"kind": words(BookingKind)},
    "registry_projects_overdue": {"what": words(Overdue)},
    "registry_objections": {"state": words(ObjectionState)},
    "registry_reviews_due": {"when": words(registry.Due)},
    **{
        name: {"process": {*SERVICES, "postgres", "valkey", "caddy"}}
        for name in ("embedded_up", "embedded_restarts_total", "embedded_memory_bytes", "embedded_cpu_seconds_total")
    },
}  # fmt: skip

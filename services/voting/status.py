"""Voting's own part of `GET …/status`: ballots, codes, holds and limits, windows. No count of any candidate."""

from __future__ import annotations

from typing import Any

from litestar import Request

from services.shared.messages import REGISTRY_ROUNDS, REGISTRY_STAFF, VOTING_TALLIES, VOTING_WINDOWS
from services.shared.status import Observed, Samples, status_route
from services.voting import codes_store, store
from services.voting.context import Context
from services.voting.rounds import FrozenRound
from services.voting.watch import shown_rounds

PREFIX = "/api/voting/v1"
# What a limit, not a rule, answers: it may have met an honest person.
_LIMITS = ("challenge_required", "too_many_attempts")


async def own_status(context: Context, samples: Samples) -> dict[str, Any]:
    """{ballots, turnstile, codes, holds, blocks, windows}."""
    return {
        "ballots": _ballots(context, samples),
        "turnstile": {
            "workers_reached": samples.total("turnstile_available"),
            "breaker": samples.total("turnstile_breaker_total"),
            "local": samples.total("turnstile_local_total"),
        },
        "codes": await _codes(context, samples),
        "holds": await store.holds_by_reason(context.pool),
        "blocks": await _blocks(context, samples),
        "windows": [await _window(context, each) for each in shown_rounds(context)],
    }


def _ballots(context: Context, samples: Samples) -> dict[str, Any]:
    settings = context.settings
    return {
        "decisions": samples.by("ballot_decisions_total", "decision"),
        "in_flight": samples.total("ballots_in_flight"),
        "queue": samples.total("ballot_queue_length"),
        "queue_max": settings.queue_max * settings.workers,
        "seconds": samples.histogram("ballot_seconds"),
        "batch": samples.histogram("batch_ballots"),
        "ledger_seconds": samples.histogram("ledger_seconds"),
        "retries": samples.total("ledger_retries_total"),
        "counted": samples.total("ballots_counted_total"),
    }


async def _codes(context: Context, samples: Samples) -> dict[str, Any]:
    """How codes go out, and how much of the two budgets is used up."""
    settings = context.settings
    return {
        "asked": samples.by("codes_total", "outcome"),
        "harder": samples.total("codes_harder_total"),
        "deliveries": samples.rows("code_deliveries_total"),
        "sign_ins": samples.by("sessions_total", "outcome"),
        "spent": {
            "minute": await codes_store.codes_spent(context.pool, 60),
            "minute_max": settings.codes_per_minute_max,
            "day": await codes_store.codes_spent(context.pool, 86_400),
            "day_max": settings.codes_per_day_max,
        },
    }


async def _blocks(context: Context, samples: Samples) -> dict[str, Any]:
    """How often somebody honest may have been stopped: two estimates, both of them too high rather than too low.

    `limited` of `attempts`: ballots that a limit answered, as if every one of them were an honest person's first try.
    `restored` of `decided`: ballots whose hold two people found to be wrong, of all that were decided.
    """
    decisions = samples.by("ballot_decisions_total", "decision")
    limited = sum(decisions.get(word, 0) for word in _LIMITS)
    states = await store.decided_holds(context.pool)
    return {"limited": limited, "attempts": limited + decisions.get("recorded", 0), **states}


async def _window(context: Context, frozen: FrozenRound) -> dict[str, Any]:
    return {
        "round": frozen.id,
        "title": frozen.title,
        "timezone": str(frozen.zone),
        "rehearsal": frozen.message.rehearsal,
        "phase": frozen.phase(context.clock.now()),
        "opens": frozen.opens,
        "closes": frozen.closes,
        "turnout": await store.turnout(context.pool, frozen.number),
    }


def _observe(request: Request[Any, Any, Any]) -> Observed:
    context: Context = request.app.state["context"]

    async def own(samples: Samples) -> dict[str, Any]:
        return await own_status(context, samples)

    return Observed(
        "voting", context.settings, context.door, request.app.state["health"],
        follows=[REGISTRY_ROUNDS, REGISTRY_STAFF], publishes=[VOTING_TALLIES, VOTING_WINDOWS], own=own,
    )  # fmt: skip


get_status = status_route(PREFIX, _observe)

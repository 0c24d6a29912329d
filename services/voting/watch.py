"""What an operator watches of rounds, ballots and codes, as metrics: one step of the elected process.

By phase and state only: no round, candidate, unit or person is a label, so that no metric tells a running result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.voting import codes_store, metrics, store, watch_store
from services.voting.context import Context
from services.voting.holds import HoldReason
from services.voting.rounds import FrozenRound, Phase

_SHOWN_AFTER = timedelta(days=7)


def shown_rounds(context: Context) -> list[FrozenRound]:
    """Rounds that go on, or ended a short while ago."""
    now = context.clock.now()
    return [each for each in context.rounds.all() if each.closes is None or now < each.closes + _SHOWN_AFTER]


async def watch_once(context: Context) -> int:
    """Set every gauge; always idle afterwards."""
    rounds, now = shown_rounds(context), context.clock.now()
    _watch_windows(rounds, now)
    await _watch_ballots(context, rounds, now)
    await _watch_suspicion(context)
    await _watch_spend(context)
    return 0


def _watch_windows(rounds: Sequence[FrozenRound], now: datetime) -> None:
    by_phase = Counter(each.phase(now) for each in rounds)
    for phase in Phase:
        metrics.voting_rounds.labels(phase).set(by_phase[phase])
    closing = [each.closes for each in rounds if each.closes is not None and each.phase(now) is Phase.OPEN]
    metrics.voting_closes_in_seconds.set((min(closing) - now).total_seconds() if closing else 0)


async def _watch_ballots(context: Context, rounds: Sequence[FrozenRound], now: datetime) -> None:
    ballots: Counter[tuple[Phase, str]] = Counter()
    voters: Counter[Phase] = Counter()
    for each in rounds:
        phase = each.phase(now)
        voters[phase] += await store.turnout(context.pool, each.number)
        for state, count in (await store.ballots_by_state(context.pool, each.number)).items():
            ballots[phase, state] += count
    for phase in Phase:
        metrics.voting_turnout.labels(phase).set(voters[phase])
        for state in metrics.BallotState:
            metrics.voting_ballots.labels(phase, state).set(ballots[phase, state])
    behind, behind_s = await watch_store.tally_lag(context.pool)
    metrics.tally_lag_ballots.set(behind)
    metrics.tally_lag_seconds.set(behind_s)


async def _watch_suspicion(context: Context) -> None:
    rows = await store.holds_by_reason(context.pool)
    found = {(row["reason"], row["state"]): row["ballots"] for row in rows}
    for reason in HoldReason:
        for state in (metrics.BallotState.HELD, metrics.BallotState.EXCLUDED, metrics.BallotState.RESTORED):
            metrics.suspected_ballots.labels(reason, state).set(found.get((reason.value, state.value), 0))
    decided = await store.decided_holds(context.pool)
    metrics.decided_ballots.labels(metrics.BallotState.RESTORED).set(decided["restored"])
    metrics.decided_ballots.labels(metrics.BallotState.EXCLUDED).set(decided["decided"] - decided["restored"])


async def _watch_spend(context: Context) -> None:
    settings = context.settings
    for span, seconds, most in (
        (metrics.Span.MINUTE, 60, settings.codes_per_minute_max),
        (metrics.Span.DAY, 86_400, settings.codes_per_day_max),
    ):
        metrics.codes_spent.labels(span).set(await codes_store.codes_spent(context.pool, seconds))
        metrics.codes_spent_max.labels(span).set(most)

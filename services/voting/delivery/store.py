"""SQL of deliveries: one row an attempt, found again by the provider's own delivery id."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.shared.postgres import Pool
from services.voting.delivery.provider import Failure, Report, Taken


async def begin(pool: Pool, request: UUID, provider: str, route: str) -> int:
    """Note that an attempt begins; returns its number."""
    number: int = await pool.fetchval(
        "INSERT INTO code_deliveries (request, provider, route) VALUES ($1, $2, $3) RETURNING id",
        request,
        provider,
        route,
    )
    return number


async def settle(pool: Pool, number: int, outcome: Taken | Failure) -> None:
    """Note what became of an attempt."""
    if isinstance(outcome, Taken):
        state, failure, delivery_id = ("delivered" if outcome.delivered else "accepted"), "", outcome.delivery_id
    else:
        state, failure, delivery_id = "failed", outcome.value, None
    await pool.execute(
        "UPDATE code_deliveries SET state = $2, failure = $3, delivery_id = $4, changed_at = clock_timestamp()"
        " WHERE id = $1",
        number,
        state,
        failure,
        delivery_id,
    )


async def apply_reports(pool: Pool, provider: str, reports: Sequence[Report]) -> tuple[int, int]:
    """Take up a provider's reports; returns how many were new of (delivered, failed). A repeat changes nothing."""
    changed = {True: 0, False: 0}
    for report in reports:
        state, failure = ("delivered", "") if report.delivered else ("failed", Failure.NOT_DELIVERED.value)
        done: str = await pool.execute(
            "UPDATE code_deliveries SET state = $3, failure = $4, changed_at = clock_timestamp()"
            " WHERE provider = $1 AND delivery_id = $2 AND state = 'accepted'",
            provider,
            report.delivery_id,
            state,
            failure,
        )
        changed[report.delivered] += int(done.split()[-1])
    return changed[True], changed[False]


async def give_up_lost(pool: Pool, after_s: float) -> int:
    """Mark attempts whose sender died: the code is not known any more, so nobody can send it again."""
    done: str = await pool.execute(
        "UPDATE code_deliveries SET state = 'lost', changed_at = clock_timestamp()"
        " WHERE state = 'waiting' AND created_at < clock_timestamp() - $1 * interval '1 second'",
        after_s,
    )
    return int(done.split()[-1])

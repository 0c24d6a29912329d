"""Steps of the elected loop: reviews open at the deadline, completions end, what is overdue is counted for alerts.

Invariant: a review is opened exactly once in effect, whoever leads, however often the step runs and wherever the clock
jumps: its row is inserted and its application moved in one transaction, and neither is ever taken back.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from services.registry import metrics
from services.registry.applications.stages import Stage, move
from services.registry.calendar import store as calendar
from services.registry.log.record import record
from services.registry.reviews import store
from services.registry.reviews.deadlines import last_day_of, review_due
from services.shared.clock import day_in
from services.shared.postgres import Connection, Pool, transaction

BATCH_MAX = 200
OPEN_MAX = 10_000
ACTOR = "registry"


async def open_reviews_once(pool: Pool, now: datetime) -> int:
    """Open the reviews of recommended applications whose recommendation window is over; how many."""
    opened = 0
    for found in await store.to_open(pool, now, BATCH_MAX):
        async with transaction(pool) as connection:
            if await move(connection, found["application"], [Stage.RECOMMENDED], Stage.IN_REVIEW, now) is None:
                continue  # withdrawn meanwhile
            started_on = last_day_of(found["closes_at"], found["timezone"])
            await store.insert(connection, found["application"], found["call"], started_on, found["working_days"], now)
            await record(
                connection, now, ACTOR, "review.opened", "application", found["application"], round_id=found["call"],
                after={"started_on": started_on.isoformat(), "working_days": found["working_days"]},
            )  # fmt: skip
            opened += 1
    return opened


async def end_completions_once(pool: Pool, now: datetime) -> int:
    """Let the days run again where completion came, or where its day passed without it; how many."""
    ended = 0
    for application in await store.completions_to_end(pool, now, BATCH_MAX):
        async with transaction(pool) as connection:
            await connection.execute("SELECT 1 FROM applications WHERE application = $1 FOR UPDATE", application)
            ended += await settle_completion(connection, application, now)
    return ended


async def settle_completion(connection: Connection, application: str, now: datetime) -> bool:
    """End a completion whose answer came or whose day passed; the application's row is held. Whether it ended now.

    The acts of reviewers call it first, so that nobody judges by a checklist of what was there before.
    """
    waiting = await store.waiting_completion(connection, application)
    if waiting is None:
        return False
    zone = ZoneInfo(waiting["timezone"])
    answered = waiting["stage"] != Stage.COMPLETION
    if answered:
        ended_at = max(waiting["submitted_at"] or now, waiting["requested_at"])
        ended_on = ended_at.astimezone(zone).date()
        await store.next_cycle(connection, application)
    elif waiting["closes_at"] <= now:
        ended_at, ended_on = waiting["closes_at"], waiting["due_on"]
        await move(connection, application, [Stage.COMPLETION], Stage.IN_REVIEW, now)
    else:
        return False
    await store.end_completion(connection, application, ended_at, ended_on, ACTOR, answered)
    await record(
        connection, now, ACTOR, "review.completion_ended", "application", application,
        after={"answered": answered, "ended_on": ended_on.isoformat()},
    )  # fmt: skip
    return True


async def watch_reviews_once(pool: Pool, now: datetime) -> int:
    """Count reviews that are overdue, or due within one working day, so that somebody is called before it is late."""
    days = await calendar.load(pool)
    overdue = soon = 0
    for review in await store.open_reviews(pool, OPEN_MAX):
        today = day_in(now, review.timezone)
        due = review_due(days, review.started_on, review.working_days, review.pause, today)
        if due.paused:
            continue
        overdue += due.days_left < 0
        soon += 0 <= due.days_left <= 1
    metrics.reviews_due.labels(metrics.Due.OVERDUE).set(overdue)
    metrics.reviews_due.labels(metrics.Due.WITHIN_ONE_DAY).set(soon)
    return 0

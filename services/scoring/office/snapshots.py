"""One snapshot a day of the sheets of every round that is being scored; `proposals.py` restores from them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from services.scoring import store as scoring_store
from services.scoring.desk import Desk
from services.scoring.office import store
from services.shared.postgres import transaction


async def snapshot_once(desk: Desk) -> int:
    """Take the day's snapshot where it is missing; returns how many were taken.

    The day is the round's own. The round is held meanwhile, so that a snapshot never has half of an act.
    """
    taken = 0
    for round_ in await desk.rounds():
        now = desk.clock.now()
        if round_.window_state(now).state != "open":
            continue
        day = now.astimezone(ZoneInfo(round_.timezone)).date()
        if any(each["day"] == day for each in await store.snapshots(desk.pool, round_.id)):
            continue
        async with transaction(desk.pool) as connection:
            await scoring_store.hold_round(connection, round_.id)
            taken += await store.take_snapshot(connection, round_.id, day, now)
    return taken

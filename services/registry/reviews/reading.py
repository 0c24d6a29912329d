"""Reading one review: what its callers may know of it, noted in the log. Called by the route and by the page."""

from datetime import datetime
from typing import Any

from services.registry.applications import access
from services.registry.applications import store as applications
from services.registry.calendar import store as calendar
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.reviews import store, views
from services.shared.errors import Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff


async def read(pool: Pool, application: str, staff: Staff, now: datetime) -> dict[str, Any]:
    """The review as `views.whole` tells it; raises Refusal `unknown_application` or `wrong_stage` before it opens."""
    found = access.require_sight(staff, await applications.load(pool, application), application)
    review = await store.load(pool, application)
    if review is None:
        raise Refusal(
            RegistryReason.WRONG_STAGE, f"It stands at {found.stage}; its review opens when recommendation has closed.",
            stage=found.stage,
        )  # fmt: skip
    await record(pool, now, staff.staff, "review.read", "application", application, round_id=found.call, personal=True)
    return views.whole(
        review, await calendar.load(pool), await store.checklists(pool, application, review.cycle),
        await store.joint_checks(pool, [application]), staff, now,
    )  # fmt: skip

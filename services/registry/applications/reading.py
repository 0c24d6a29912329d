"""An application for somebody who may see it: the same reading for the interface and for the pages.

A form names people: whoever reads another unit's is in the log.
"""

from datetime import datetime
from typing import Any

from services.registry.applications import access, consent_store, store, views
from services.registry.applications.records import Application, Version
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Pool
from services.shared.staff import Staff


async def seen(pool: Pool, identifier: str, staff: Staff) -> Application:
    """The application as it stands; raises Refusal `unknown_application` where it is none of theirs."""
    return access.require_sight(staff, await store.load(pool, identifier), identifier)


async def note(pool: Pool, found: Application, staff: Staff, now: datetime) -> None:
    """Log that somebody who is not of the unit read its form."""
    if access.is_own(staff, found.unit):
        return
    await record(
        pool, now, staff.staff, "application.read", "application", found.application,
        round_id=found.call, personal=True,
    )  # fmt: skip


async def whole(pool: Pool, found: Application, staff: Staff, now: datetime) -> dict[str, Any]:
    """Everything of an application that was seen, with what may be done next (`views.whole`)."""
    return views.whole(
        found,
        await store.files(pool, found.application),
        await consent_store.of(pool, found.application),
        await store.version_lines(pool, found.application),
        await store.reopenings(pool, found.application),
        staff,
        now,
    )


async def handed_in(pool: Pool, found: Application) -> Version:
    """What was handed in last; raises Refusal `not_submitted`."""
    version = await store.newest_version(pool, found.application)
    if version is None:
        raise Refusal(
            RegistryReason.NOT_SUBMITTED, "Hand the application in first; its print then bears a version code."
        )
    return version

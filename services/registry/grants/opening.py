"""Opening projects: one for each selected candidate of the confirmed list, with the lines and targets it applied with.

Opening again is harmless: what has a project keeps it, and a newer confirmed list adds only who came in.
"""

from datetime import date, datetime

import msgspec

from services.registry.grants import access, store
from services.registry.grants.records import KIND
from services.registry.lists import store as lists
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

# The 2020 notice: twelve months from 1 January, accepted "before December".
ACCEPT_BEFORE_MONTH = 12


class OpenForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /rounds/{round}/projects`; what is left out follows the 2020 notice.

    By default a project runs for the calendar year after its list was confirmed and is accepted before 1 December.
    """

    starts_on: date | None = None
    ends_on: date | None = None
    accept_before: date | None = None


def period_of(form: OpenForm, today: date) -> tuple[date, date, date]:
    """(starts, ends, accept before), whole days; raises Refusal `bad_project` where they contradict each other."""
    starts = form.starts_on or date(today.year + 1, 1, 1)
    ends = form.ends_on or date(starts.year, 12, 31)
    before = form.accept_before or date(ends.year, ACCEPT_BEFORE_MONTH, 1)
    if ends < starts or before <= starts:
        raise Refusal(
            RegistryReason.BAD_PROJECT,
            f"A project from {starts} to {ends} cannot be accepted before {before}; give other days.",
        )
    return starts, ends, before


async def open_projects(pool: Pool, round_id: str, form: OpenForm, staff: Staff, now: datetime) -> list[str]:
    """The candidates whose projects were opened now.

    Raises Refusal `unknown_round`, `not_confirmed`, `application_missing`, `conflict_of_interest`, `bad_project`.
    """
    async with transaction(pool) as connection:
        await rounds.lock_round(connection, round_id.replace("\0", ""))
        round_ = await rounds.require_round(connection, round_id)
        period = period_of(form, day_in(now, round_.timezone))
        version = await _confirmed_version(connection, round_id)
        chosen = await store.to_open(connection, round_id, version)
        for facts in chosen:
            _require_whole(facts["candidate"], facts["content"] is not None)
            access.require_no_interest(staff, facts["unit"], facts["unit_name"], facts["channel"])
        for facts in chosen:
            await store.insert_project(connection, round_id, version, facts, period, staff.staff, now)
            await record(
                connection, now, staff.staff, f"{KIND}.opened", KIND, f"{round_id}/{facts['candidate']}",
                round_id=round_id, after={"list_version": version, "period": [day.isoformat() for day in period]},
            )  # fmt: skip
    return [facts["candidate"] for facts in chosen]


async def _confirmed_version(connection: Connection, round_id: str) -> int:
    versions = await lists.versions(connection, round_id)
    newest = versions[0] if versions else None
    if newest is None or newest.confirmed_at is None or newest.retracted_at is not None:
        raise Refusal(
            RegistryReason.NOT_CONFIRMED,
            "Projects are opened from a list that a meeting confirmed; have the newest list version confirmed first.",
            list_version=newest.version if newest else 0,
        )
    return newest.version


def _require_whole(candidate: str, has_application: bool) -> None:
    if not has_application:
        raise Refusal(
            RegistryReason.APPLICATION_MISSING,
            f"Candidate {candidate} has no application in this round, so there are no lines to grant and no targets.",
            candidate=candidate,
        )

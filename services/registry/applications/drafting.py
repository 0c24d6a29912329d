"""The life of an application in its unit's hands: begun, saved, checked, handed in, reopened, withdrawn.

Every act holds the application's row and leaves its entry in the log, in one transaction. Called by `api.py`, and by
pages later.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.registry.applications import access, consent_store, store
from services.registry.applications.checking import Surroundings, problems_of, submit_refusal
from services.registry.applications.content import Content, WrongContent, broken_limits, merged, read, trimmed
from services.registry.applications.problems import Problem
from services.registry.applications.records import Application, Version
from services.registry.applications.rules import (
    WITHDRAWABLE,
    require_editable,
    require_stage,
    require_version,
    require_window,
)
from services.registry.applications.snapshot import canonical, snapshot, version_of
from services.registry.applications.stages import Stage, move
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.reviews import store as reviews
from services.shared.clock import day_in
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff
from services.shared.vocabulary import LEAD_KINDS

REASON_MAX = 1000
# No rule of the notice: a bound against floods, withdrawn ones included.
APPLICATIONS_MAX = 100


def new_identifier(now: datetime) -> str:
    """Identifiers sort by the time they were made, and cannot be guessed."""
    return f"{int(now.timestamp() * 1000):011x}{secrets.token_hex(5)}"


class Incomplete(Exception):
    """A form that cannot be stored or handed in, with every problem; the route turns it into a refusal with texts."""

    def __init__(self, reason: RegistryReason, detail: str, problems: list[Problem]) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.problems = reason, detail, problems


async def begin(pool: Pool, call_id: str, given: Mapping[str, Any], on_behalf: str, staff: Staff, now: datetime) -> str:
    """A new draft of the staff member's own unit, or of the unit a clerk enters it for; its identifier."""
    call = await store.load_call(pool, call_id)
    if call is None or call.state == "draft":
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"There is no call {call_id[:64]!r}.")
    require_window(call, now)
    name = on_behalf or staff.unit
    unit = (await store.load_units(pool, "unit", [name])).get(name)
    clerk = _require_writer(staff, unit, on_behalf)
    require_lead(unit, name)
    assert unit is not None
    content = checked_content({}, given)
    if await store.count_of_unit(pool, call.call, unit.unit) >= APPLICATIONS_MAX:
        raise Refusal(
            RegistryReason.TOO_MANY_APPLICATIONS, f"A unit begins at most {APPLICATIONS_MAX} applications in a call."
        )
    identifier = new_identifier(now)
    async with transaction(pool) as connection:
        await store.insert(
            connection, identifier, call.call, unit, content, on_behalf=clerk, actor=staff.staff, now=now
        )
        await record(
            connection, now, staff.staff, "application.begun", "application", identifier, round_id=call.call,
            after={"unit": unit.unit, "title": content["title"], "on_behalf": clerk},
        )  # fmt: skip
    return identifier


def _require_writer(staff: Staff, unit: store.ApplyingUnit | None, on_behalf: str) -> bool:
    """Whether the staff member enters it as a clerk; raises Refusal where they may not at all."""
    if unit is not None and access.is_own(staff, unit.unit):
        return False
    if on_behalf and unit is not None and access.is_officer(staff, unit.channel):
        return True
    if on_behalf and staff.has(*access.OFFICE):
        if unit is not None and access.has_conflict(staff, unit.unit, unit.channel):
            raise Refusal(RegistryReason.CONFLICT_OF_INTEREST, "It is your own unit or channel; a colleague enters it.")
        return True
    if on_behalf and staff.has(Role.CHANNEL_OFFICER):
        raise Refusal(RegistryReason.UNKNOWN_UNIT, f"There is no unit {on_behalf[:64]!r} for you.")
    raise Refusal(CommonReason.FORBIDDEN, "Applicants begin applications of their own unit; a clerk names `on_behalf`.")


def require_lead(unit: store.ApplyingUnit | None, name: str) -> None:
    """Raises Refusal where this unit cannot lead an application."""
    if unit is None:
        raise Refusal(RegistryReason.UNKNOWN_UNIT, f"There is no unit {name[:64]!r} for you.")
    if unit.kind not in LEAD_KINDS:
        raise Refusal(
            RegistryReason.PARTNER_AS_LEAD,
            f"{unit.name} is of the kind {unit.kind}, which applies only jointly: let a government body, public"
            " institution, enterprise, community or village lead, and be its partner.",
        )
    if unit.state != "approved":
        raise Refusal(
            RegistryReason.UNIT_NOT_APPROVED, f"{unit.name} is {unit.state}; its district has to approve it first."
        )


def checked_content(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The form after a save, as it is stored; raises Refusal or Incomplete `bad_application`."""
    try:
        content = merged(stored, given)
    except WrongContent as error:
        raise Refusal(RegistryReason.BAD_APPLICATION, f"The form cannot be read: {error}.") from None
    problems = broken_limits(content)
    if problems:
        places = ", ".join(each.field for each in problems[:10])
        raise Incomplete(RegistryReason.BAD_APPLICATION, f"Beyond the limits of the form: {places}.", problems)
    values: dict[str, Any] = msgspec.to_builtins(content)
    return values


async def save(
    pool: Pool, identifier: str, given: Mapping[str, Any], version: int, staff: Staff, now: datetime
) -> tuple[int, datetime]:
    """Autosave: (the new version, when). What came without a change raises nothing and logs nothing."""
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        await require_writable(connection, found, now)
        require_version(found, version)
        content = checked_content(found.content, given)
        changed = sorted(key for key, value in content.items() if found.content.get(key) != value)
        if not changed:
            return found.version, found.changed_at
        stored = await store.write_content(connection, identifier, content, now)
        await record(
            connection, now, staff.staff, "application.saved", "application", identifier, round_id=found.call,
            after={"version": stored, "fields": changed}, personal=True,
        )  # fmt: skip
    return stored, now


async def held(connection: Connection, identifier: str, staff: Staff) -> Application:
    """The application, its row held, for somebody who may change it."""
    found = access.require_sight(staff, await store.load(connection, identifier, lock=True), identifier)
    access.require_change(staff, found)
    return found


async def require_writable(connection: Connection, application: Application, now: datetime) -> None:
    """As `require_editable`; a completion (补正) also has a day of its own, whose end the receive time decides too."""
    require_editable(application, now)
    if application.stage is Stage.COMPLETION:
        asked = await reviews.waiting_completion(connection, application.application)
        if asked is not None and now >= asked["closes_at"]:
            raise Refusal(
                RegistryReason.DEADLINE_PASSED,
                f"The completion was due until {asked['closes_at'].isoformat()}.",
                closed_at=asked["closes_at"],
            )


async def problems(connection: Connection | Pool, application: Application, now: datetime) -> list[Problem]:
    """What stands between the application and its submission."""
    consents = await consent_store.of(connection, application.application)
    around = Surroundings(
        application.unit_credit_code,
        frozenset(each.credit_code for each in consents if each.answer == "given"),
        await store.files(connection, application.application),
        day_in(now, application.timezone),
    )
    return problems_of(read(application.content), around)


async def submit(pool: Pool, identifier: str, version: int | None, staff: Staff, now: datetime) -> Version:
    """Hand the application in: an immutable version with its code. `now` is when the request came in."""
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        await require_writable(connection, found, now)
        require_version(found, version)
        unit = (await store.load_units(connection, "unit", [found.unit])).get(found.unit)
        require_lead(unit, found.unit)
        wrong = await problems(connection, found, now)
        if wrong:
            raise Incomplete(*submit_refusal(wrong), wrong)
        made = await _hand_in(connection, found, read(found.content), staff, now)
        to = Stage.SUBMITTED if found.stage is Stage.DRAFT else Stage.IN_REVIEW
        await move(connection, identifier, [found.stage], to, now)
    return made


async def _hand_in(
    connection: Connection, found: Application, content: Content, staff: Staff, now: datetime
) -> Version:
    consents = await consent_store.of(connection, found.application)
    files = await store.files(connection, found.application)
    earlier = await store.newest_version(connection, found.application)
    number = earlier.number + 1 if earlier else 1
    made = version_of(found, number, snapshot(found, content, consents, files), staff.staff, now)
    await store.write_submission(connection, made, canonical(made.content), now)
    await record(
        connection, now, staff.staff, "application.submitted", "application", found.application, round_id=found.call,
        before={"stage": found.stage}, personal=True,
        after={"number": number, "sha256": made.sha256, "code": made.version_code, "on_behalf": found.on_behalf},
    )  # fmt: skip
    return made


def required_reason(reason: str) -> str:
    """Raises Refusal `reason_missing`."""
    told = trimmed(reason)
    if not told or len(told) > REASON_MAX:
        raise Refusal(RegistryReason.REASON_MISSING, f"reason must say why, in at most {REASON_MAX} characters.")
    return told


async def withdraw(pool: Pool, identifier: str, reason: str, version: int | None, staff: Staff, now: datetime) -> None:
    """Take an application back for good, until it is a candidate; one that was handed in needs a reason."""
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        require_stage(found, *WITHDRAWABLE)
        require_version(found, version)
        told = trimmed(reason)[:REASON_MAX] if found.stage is Stage.DRAFT else required_reason(reason)
        await move(connection, identifier, [found.stage], Stage.WITHDRAWN, now)
        await record(
            connection, now, staff.staff, "application.withdrawn", "application", identifier, round_id=found.call,
            before={"stage": found.stage}, after={"reason": told},
        )  # fmt: skip


async def reopen(pool: Pool, identifier: str, reason: str, version: int | None, staff: Staff, now: datetime) -> None:
    """Before the deadline the unit takes its submission up again; later only the office's completion (补正) does."""
    told = required_reason(reason)
    async with transaction(pool) as connection:
        found = await held(connection, identifier, staff)
        require_stage(found, Stage.SUBMITTED)
        require_window(found, now)
        require_version(found, version)
        await move(connection, identifier, [Stage.SUBMITTED], Stage.DRAFT, now)
        await store.add_reopening(connection, identifier, now, staff.staff, told)
        await record(
            connection, now, staff.staff, "application.reopened", "application", identifier, round_id=found.call,
            before={"stage": found.stage}, after={"reason": told},
        )  # fmt: skip

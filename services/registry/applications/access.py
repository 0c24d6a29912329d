"""Who may see an application, and who may change it.

The unit sees and changes its own. The committee office (reviewers, administrators) and auditors see everything; an
officer sees what of the own channel was handed in. Office and officers change only what a clerk entered on a unit's
behalf: what a unit wrote itself is the unit's. Nobody acts on what concerns the unit or channel they belong to by
the office's power. A foreign application is answered as one that does not exist.
"""

from services.registry.applications import store
from services.registry.applications.records import Application
from services.registry.applications.stages import Stage
from services.registry.reasons import RegistryReason
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Pool
from services.shared.staff import Role, Staff

READERS = (Role.APPLICANT, Role.CHANNEL_OFFICER, Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)
WRITERS = (Role.APPLICANT, Role.CHANNEL_OFFICER, Role.REVIEWER, Role.ADMINISTRATOR)
OFFICE = (Role.REVIEWER, Role.ADMINISTRATOR)


def is_own(staff: Staff, unit: str) -> bool:
    """Whether the member of staff applies for this unit."""
    return staff.has(Role.APPLICANT) and bool(staff.unit) and staff.unit == unit


def is_officer(staff: Staff, channel: str) -> bool:
    return staff.has(Role.CHANNEL_OFFICER) and bool(staff.channel) and staff.channel == channel


def has_conflict(staff: Staff, unit: str, channel: str) -> bool:
    """Whether this concerns the unit or channel that the member of staff belongs to."""
    return (bool(staff.unit) and staff.unit == unit) or (bool(staff.channel) and staff.channel == channel)


def sees(staff: Staff, application: Application) -> bool:
    if staff.has(*OFFICE, Role.AUDITOR) or is_own(staff, application.unit):
        return True
    handed_in = application.stage is not Stage.DRAFT and application.submitted_at is not None
    return is_officer(staff, application.channel) and (handed_in or application.on_behalf)


def may_change(staff: Staff, application: Application) -> bool:
    """Whether editing is theirs at all, whatever the stage."""
    if is_own(staff, application.unit):
        return True
    if not application.on_behalf:
        return False
    if is_officer(staff, application.channel):
        return True
    return staff.has(*OFFICE) and not has_conflict(staff, application.unit, application.channel)


def require_sight(staff: Staff, application: Application | None, identifier: str) -> Application:
    """The application, or the same 404 whether it is foreign or does not exist."""
    if application is None or not sees(staff, application):
        raise Refusal(RegistryReason.UNKNOWN_APPLICATION, f"There is no application {identifier[:64]!r} for you.")
    return application


def require_change(staff: Staff, application: Application) -> None:
    """Raises Refusal `conflict_of_interest` or `forbidden` for those who see an application and may not change it."""
    if may_change(staff, application):
        return
    if application.on_behalf and staff.has(*OFFICE):
        raise Refusal(
            RegistryReason.CONFLICT_OF_INTEREST, "It is of your own unit or channel; a colleague has to do it."
        )
    raise Refusal(CommonReason.FORBIDDEN, "The unit wrote this application itself; only the unit changes it.")


async def may_read(pool: Pool, staff: Staff | None, object_id: str) -> bool:
    """For downloads of an application's files."""
    if staff is None or not staff.has(*READERS):
        return False
    application = await store.load(pool, object_id)
    return application is not None and sees(staff, application)


async def may_read_import(_pool: Pool, staff: Staff | None, _call: str) -> bool:
    """Imported workbooks hold many units' applications: the office and auditors only."""
    return staff is not None and staff.has(*OFFICE, Role.AUDITOR)

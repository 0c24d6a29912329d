"""Who may do what to a project. Pure but for `may_read_files`, which downloads ask.

A foreign project is answered like one that does not exist; nobody of the office acts on what concerns their own unit
or channel.
"""

from services.registry.grants import reading
from services.registry.grants.records import Project
from services.registry.reasons import RegistryReason
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Pool
from services.shared.staff import Role, Staff

OFFICE = (Role.REVIEWER, Role.ADMINISTRATOR)
READERS = (Role.APPLICANT, Role.CHANNEL_OFFICER, *OFFICE, Role.AUDITOR)


def is_units(staff: Staff, project: Project) -> bool:
    """Whether somebody acts for the project's unit."""
    return staff.has(Role.APPLICANT) and bool(staff.unit) and staff.unit == project.unit


def has_interest(staff: Staff, unit: str, unit_name: str, channel: str) -> bool:
    """Whether a project of this unit and channel concerns somebody's own."""
    return (bool(staff.unit) and staff.unit in (unit, unit_name)) or (bool(staff.channel) and staff.channel == channel)


def may_see(staff: Staff, project: Project) -> bool:
    """The office and auditors see every project, a unit its own, an officer those of the channel."""
    if staff.has(*OFFICE, Role.AUDITOR) or is_units(staff, project):
        return True
    return staff.has(Role.CHANNEL_OFFICER) and bool(staff.channel) and staff.channel == project.channel


def unknown(candidate: str) -> Refusal:
    return Refusal(
        RegistryReason.UNKNOWN_PROJECT, f"There is no project {candidate[:64]!r} for you; see the round's projects."
    )


def require_seen(staff: Staff, project: Project | None, candidate: str) -> Project:
    """The project for somebody who may see it; raises Refusal `unknown_project`."""
    if project is None or not may_see(staff, project):
        raise unknown(candidate)
    return project


def require_unit(staff: Staff, project: Project) -> None:
    """Raises Refusal `forbidden` for those who see the project but do not act for its unit."""
    if not is_units(staff, project):
        raise Refusal(CommonReason.FORBIDDEN, "Only the project's own unit does this.")


def require_office(staff: Staff, project: Project) -> None:
    """Raises Refusal `forbidden`, or `conflict_of_interest` for the office's own unit or channel."""
    if not staff.has(*OFFICE):
        raise Refusal(CommonReason.FORBIDDEN, "Only reviewers and administrators of the office do this.")
    require_no_interest(staff, project.unit, project.unit_name, project.channel)


def require_no_interest(staff: Staff, unit: str, unit_name: str, channel: str) -> None:
    """Raises Refusal `conflict_of_interest` where a project of this unit and channel concerns somebody's own."""
    if has_interest(staff, unit, unit_name, channel):
        raise Refusal(
            RegistryReason.CONFLICT_OF_INTEREST,
            "The project concerns your own unit or channel; a colleague without this interest must do it.",
        )


async def may_read_files(pool: Pool, staff: Staff | None, object_id: str) -> bool:
    """Whether somebody may download a project's files; `object_id` is "round/candidate"."""
    round_id, _, candidate = object_id.partition("/")
    if staff is None or not staff.has(*READERS):
        return False
    found = await reading.project(pool, round_id, candidate)
    return found is not None and may_see(staff, found)

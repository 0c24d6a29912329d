"""Who may read a whole application; everybody else sees the public card. Pure."""

from services.shared.messages import CandidateCard
from services.shared.staff import Role, Staff

_ALL_APPLICATIONS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.REVIEWER)


def may_read_whole(staff: Staff | None, panel: list[str], card: CandidateCard) -> bool:
    """Administrators, auditors and reviewers; experts of the round's panel; officers of the candidate's own channel."""
    if staff is None:
        return False
    if staff.has(*_ALL_APPLICATIONS):
        return True
    if staff.has(Role.EXPERT) and (not panel or staff.username in panel):
        return True
    return staff.has(Role.CHANNEL_OFFICER) and bool(staff.channel) and staff.channel == card.channel

"""Who may read a whole application, where everybody else sees the public card; and who must leave an act to others."""

from collections.abc import Sequence

from services.registry.reasons import RegistryReason
from services.registry.rounds import store
from services.shared.errors import Refusal
from services.shared.messages import CandidateCard
from services.shared.postgres import Connection, Pool
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


async def require_no_interest(
    connection: Connection | Pool, round_id: str, staff: Staff, candidates: Sequence[str]
) -> None:
    """Raises Refusal `conflict_of_interest` where one of the candidates is of the actor's own unit or channel."""
    if await store.concerns(connection, round_id, candidates, staff.unit, staff.channel):
        raise Refusal(RegistryReason.CONFLICT_OF_INTEREST, "It concerns your own unit or channel; a colleague acts.")

"""What must hold before an act on a list is signed or takes effect. Each raises the Refusal that says what to do.

Called by `proposals.py` inside its transaction, with the round locked.
"""

from datetime import datetime, timedelta

from services.registry.lists import store
from services.registry.lists.wanted import LINE_MAX, WantedConfirmation
from services.registry.objections import store as objections
from services.registry.reasons import RegistryReason
from services.registry.rounds.views import Round
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.postgres import Connection

RELEASE_MAX = timedelta(days=90)


async def require_confirmable(connection: Connection, round_: Round, now: datetime) -> None:
    """Every window closed, every objection answered and its remedy made, the list neither confirmed nor retracted."""
    known = await store.versions(connection, round_.round)
    if known[0].confirmed_at is not None:
        raise Refusal(RegistryReason.ALREADY_CONFIRMED, "The list is confirmed already.")
    await require_not_retracted(connection, round_)
    closes_at = max(each.objections_close_at for each in known)
    if now < closes_at:
        raise Refusal(
            RegistryReason.NOTICE_OPEN, "Objections can still come in; confirm the list when the window has closed.",
            closes_at=closes_at,
        )  # fmt: skip
    waiting = await objections.unsettled(connection, round_.round)
    if waiting:
        raise Refusal(
            RegistryReason.OBJECTIONS_OPEN,
            f"{waiting} objections are not answered, or their remedy is not made; settle them first.",
            objections=waiting,
        )


async def require_not_retracted(connection: Connection, round_: Round) -> None:
    known = await store.versions(connection, round_.round)
    if known[0].retracted_at is not None:
        raise Refusal(RegistryReason.RETRACTED, "This list was retracted; a new version must come first.")


async def require_remedy(connection: Connection, round_id: str, receipt: str | None) -> None:
    """Changes that follow from an objection need one of this round that was upheld."""
    if receipt is not None and not await objections.asks_for_change(connection, round_id, receipt):
        raise Refusal(
            RegistryReason.BAD_LIST_CHANGE,
            "The objection named here was not upheld with a change of the list as remedy.",
        )


def require_version(round_: Round, version: int) -> None:
    if version != round_.list_version:
        raise Refusal(
            RegistryReason.STALE_VERSION,
            f"You saw list {version}; the newest is {round_.list_version}. Look at it and propose again.",
            version=round_.list_version,
        )


def require_release(release_at: datetime | None, now: datetime) -> None:
    if release_at is None:
        return
    if release_at.tzinfo is None or not now < release_at <= now + RELEASE_MAX:
        raise Refusal(
            RegistryReason.BAD_LIST_CHANGE, f"release_at must lie in the next {RELEASE_MAX.days} days, with an offset."
        )


def require_meeting(wanted: WantedConfirmation, round_: Round, now: datetime) -> None:
    number = wanted.meeting_number.strip()
    if not number or len(number) > LINE_MAX or not number.isprintable():
        raise Refusal(RegistryReason.BAD_MEETING, f"meeting_number must be 1 to {LINE_MAX} characters on one line.")
    if wanted.held_on > day_in(now, round_.timezone):
        raise Refusal(RegistryReason.BAD_MEETING, "held_on lies in the future; confirm the list after the meeting.")

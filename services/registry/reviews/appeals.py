"""Appeals (复议) of applicants against a decision, decided by somebody else than those who reviewed."""

from datetime import date, datetime

from services.registry.applications import access
from services.registry.applications import store as applications
from services.registry.applications.stages import Stage, move
from services.registry.calendar import store as calendar
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.reviews import reviewing, store
from services.registry.reviews.checklists import COMMENT_MAX
from services.shared.clock import day_in
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

OUTCOMES = {"rejected": "维持原决定", "review_again": "重新初审", "accepted": "予以受理"}


async def open_until(connection: Connection, call: str, appeal_working_days: int, today: date) -> date | None:
    """The last day on which an appeal may be made or waits for an answer; None where nothing can change any more."""
    days = await calendar.load(connection)
    found: date | None = None
    for review in await store.refused(connection, call):
        if review.decided_on is None or review.appeal_outcome is not None:
            continue
        last, _ = days.working_day_after(review.decided_on, appeal_working_days)
        if review.appeal_filed_at is not None or last >= today:
            found = max(found or last, last)
    return found


async def file(pool: Pool, application: str, text: str, actor: Staff, now: datetime) -> None:
    """Raises Refusal `wrong_stage`, `deadline_passed`, `already_decided`, or 404 for whoever is not the applicant."""
    told = _text(text)
    async with transaction(pool) as connection:
        found = access.require_sight(actor, await applications.load(connection, application, lock=True), application)
        if not access.may_change(actor, found):
            raise Refusal(CommonReason.FORBIDDEN, "Only the applicant appeals.")
        reviewing.require_stage(found, Stage.NOT_ACCEPTED)
        review = await store.load(connection, application)
        assert review is not None, "what is not accepted was reviewed"
        assert review.decided_on is not None, "what is not accepted was decided"
        last, _ = await calendar.working_day_after(connection, review.decided_on, review.appeal_working_days)
        if day_in(now, review.timezone) > last:
            raise Refusal(RegistryReason.DEADLINE_PASSED, f"Appeals were taken until {last}.", closed_at=last)
        if not await store.add_appeal(connection, application, review.cycle, told, actor.staff, now):
            raise Refusal(RegistryReason.ALREADY_DECIDED, "There is an appeal against this decision.")
        await record(
            connection, now, actor.staff, "appeal.filed", "application", application, round_id=found.call,
            after={"text": told, "cycle": review.cycle},
        )  # fmt: skip


async def decide(pool: Pool, application: str, outcome: str, reply: str, actor: Staff, now: datetime) -> None:
    """Reject it, have it reviewed again by two checklists, or accept the application; with a reply.

    Raises Refusal `same_person` for whoever reviewed or decided before.
    """
    if outcome not in OUTCOMES:
        raise Refusal(RegistryReason.BAD_REVIEW, f"The outcome must be one of: {', '.join(OUTCOMES)}.")
    told = _text(reply)
    async with transaction(pool) as connection:
        found, review = await reviewing.hold(connection, application, actor, now)
        if review.appeal_filed_at is None or review.appeal_outcome is not None:
            raise Refusal(RegistryReason.NOTHING_TO_DECIDE, "No appeal of this application waits for a decision.")
        reviewing.require_stage(found, Stage.NOT_ACCEPTED)
        if actor.staff in await store.everyone_who_reviewed(connection, application):
            raise Refusal(
                RegistryReason.SAME_PERSON, "You reviewed this application; somebody else decides on its appeal."
            )
        await store.decide_appeal(connection, application, review.cycle, outcome, told, actor.staff, now)
        if outcome != "rejected":
            today = reviewing.local_day(now, review)
            cycle = await store.next_cycle(connection, application, today)
            to = Stage.IN_REVIEW if outcome == "review_again" else Stage.ACCEPTED
            if to is Stage.ACCEPTED:
                await store.add_decision(
                    connection, application, cycle, "accepted", "", told, "appeal", actor.staff, now, today
                )  # fmt: skip
            await move(connection, application, [Stage.NOT_ACCEPTED], to, now)
        await record(
            connection, now, actor.staff, "appeal.decided", "application", application, round_id=found.call,
            before={"stage": found.stage}, after={"outcome": outcome, "reply": told},
        )  # fmt: skip


def _text(text: str) -> str:
    told = text.strip()
    if not 0 < len(told) <= COMMENT_MAX:
        raise Refusal(RegistryReason.REASON_MISSING, f"Write a text of 1 to {COMMENT_MAX} characters.")
    return told

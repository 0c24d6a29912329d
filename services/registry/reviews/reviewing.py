"""What reviewers do: checklists, the one request for completion, joint checks, the decision.

Every act holds the application's row, settles a completion that ended, refuses whom it concerns, and is logged.
"""

from datetime import date, datetime

from services.registry.applications import access
from services.registry.applications import store as applications
from services.registry.applications.records import Application
from services.registry.applications.stages import Stage, move
from services.registry.calendar import store as calendar
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.reviews import store
from services.registry.reviews.checklists import COMMENT_MAX, Checklist, Outcome, agree, outcome_mistake
from services.registry.reviews.deadlines import end_of_day
from services.registry.reviews.opening import settle_completion
from services.registry.reviews.store import Review
from services.shared.clock import day_in
from services.shared.errors import CommonReason, Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff

CHECKLISTS = 2
COMPLETION_DAYS_MAX = 30
DEPARTMENTS = {
    "discipline": "纪检监察",
    "petitions": "信访",
    "market_supervision": "市场监管",
    "civil_affairs": "民政",
}
RESULTS = {"clear": "无异常", "concern": "有情况说明"}


async def hold(connection: Connection, application: str, actor: Staff, now: datetime) -> tuple[Application, Review]:
    """The application, its row held, and its review, for an act of the office that does not concern the actor."""
    found = access.require_sight(actor, await applications.load(connection, application, lock=True), application)
    await require_no_conflict(connection, found, actor)
    if await settle_completion(connection, application, now):
        found = access.require_sight(actor, await applications.load(connection, application), application)
    review = await store.load(connection, application)
    if review is None:
        raise Refusal(
            RegistryReason.WRONG_STAGE,
            f"The application stands at {found.stage}; its review opens when recommendation has closed.",
            stage=found.stage,
        )
    return found, review


async def require_no_conflict(connection: Connection, found: Application, actor: Staff) -> None:
    """Raises Refusal where the actor belongs to the unit, to a partner, or to the channel of the application."""
    concerned = access.has_conflict(actor, found.unit, found.channel)
    if not concerned and actor.unit:
        code = await store.credit_code_of(connection, actor.unit)
        partners = {partner.get("credit_code") for partner in found.content.get("partners", [])}
        concerned = bool(code) and code in partners
    if concerned:
        raise Refusal(RegistryReason.CONFLICT_OF_INTEREST, "It is of your own unit or channel; a colleague reviews it.")


def require_stage(found: Application, *stages: Stage) -> None:
    if found.stage not in stages:
        raise Refusal(
            RegistryReason.WRONG_STAGE,
            f"The application stands at {found.stage}; this is possible at: {', '.join(stages)}.",
            stage=found.stage,
        )


def local_day(now: datetime, review: Review) -> date:
    return day_in(now, review.timezone)


async def fill_checklist(pool: Pool, application: str, checklist: Checklist, actor: Staff, now: datetime) -> None:
    """A reviewer's checklist; final. Raises Refusal `already_decided` where it is filled or two are in."""
    async with transaction(pool) as connection:
        found, review = await hold(connection, application, actor, now)
        require_stage(found, Stage.IN_REVIEW)
        known = await store.checklists(connection, application, review.cycle)
        if any(each.reviewer == actor.staff for each in known):
            raise Refusal(RegistryReason.ALREADY_DECIDED, "You filled the checklist of this application; it is final.")
        if len(known) >= CHECKLISTS:
            raise Refusal(RegistryReason.ALREADY_DECIDED, "Two reviewers have filled their checklists already.")
        await store.add_checklist(connection, application, review.cycle, checklist, now)
        await record(
            connection, now, actor.staff, "review.checklist_filled", "application", application, round_id=found.call,
            after={"cycle": review.cycle, "verdict": checklist.verdict, "reason": checklist.reason,
                   "items": checklist.items},
        )  # fmt: skip


async def ask_completion(
    pool: Pool, application: str, text: str, working_days: int, actor: Staff, now: datetime
) -> None:
    """Ask once for completion (补正), due in so many working days; the review's days stand still meanwhile."""
    told = text.strip()
    if not 0 < len(told) <= COMMENT_MAX:
        raise Refusal(RegistryReason.BAD_REVIEW, f"Say in 1 to {COMMENT_MAX} characters what is to be completed.")
    if not 1 <= working_days <= COMPLETION_DAYS_MAX:
        raise Refusal(RegistryReason.BAD_REVIEW, f"working_days must be from 1 to {COMPLETION_DAYS_MAX}.")
    async with transaction(pool) as connection:
        found, review = await hold(connection, application, actor, now)
        if review.completion_requested_at is not None:
            raise Refusal(
                RegistryReason.ALREADY_ASKED, "Completion was asked for; an application gets one such request."
            )
        require_stage(found, Stage.IN_REVIEW)
        today = local_day(now, review)
        due_on, _ = await calendar.working_day_after(connection, today, working_days)
        closes_at = end_of_day(due_on, review.timezone)
        await store.add_completion(connection, application, told, actor.staff, now, today, due_on, closes_at)
        await move(connection, application, [Stage.IN_REVIEW], Stage.COMPLETION, now)
        await record(
            connection, now, actor.staff, "review.completion_asked", "application", application, round_id=found.call,
            after={"text": told, "due_on": due_on.isoformat()},
        )  # fmt: skip


async def ask_departments(
    pool: Pool, application: str, departments: list[str], working_days: int, actor: Staff, now: datetime
) -> None:
    """Put departments on the joint-check list (联审), to answer in so many working days; repeating is harmless."""
    unknown = [each for each in departments if each not in DEPARTMENTS]
    if unknown or not departments:
        raise Refusal(RegistryReason.BAD_REVIEW, f"departments must be any of: {', '.join(DEPARTMENTS)}.")
    if not 1 <= working_days <= COMPLETION_DAYS_MAX:
        raise Refusal(RegistryReason.BAD_REVIEW, f"working_days must be from 1 to {COMPLETION_DAYS_MAX}.")
    async with transaction(pool) as connection:
        found, review = await hold(connection, application, actor, now)
        require_stage(found, Stage.IN_REVIEW, Stage.COMPLETION)
        due_on, _ = await calendar.working_day_after(connection, local_day(now, review), working_days)
        asked = [
            each
            for each in departments
            if await store.ask_department(connection, application, each, due_on, actor.staff, now)
        ]
        if asked:
            await record(
                connection, now, actor.staff, "review.departments_asked", "application", application,
                round_id=found.call, after={"departments": asked, "due_on": due_on.isoformat()},
            )  # fmt: skip


async def enter_result(
    pool: Pool, application: str, department: str, result: str, text: str, actor: Staff, now: datetime
) -> None:
    """What a department answered; a concern needs its text. Entered once."""
    if result not in RESULTS:
        raise Refusal(RegistryReason.BAD_REVIEW, f"result must be one of: {', '.join(RESULTS)}.")
    if len(text) > COMMENT_MAX or (result == "concern" and not text.strip()):
        raise Refusal(RegistryReason.BAD_REVIEW, f"A concern needs a text of 1 to {COMMENT_MAX} characters.")
    async with transaction(pool) as connection:
        found, _ = await hold(connection, application, actor, now)
        known = {each.department: each for each in await store.joint_checks(connection, [application])}
        if department not in known:
            raise Refusal(RegistryReason.UNKNOWN_JOINT_CHECK, f"{department[:40]!r} was not asked about it.")
        if not await store.enter_result(connection, application, department, result, text.strip(), actor.staff, now):
            raise Refusal(RegistryReason.ALREADY_DECIDED, "The answer of this department is entered.")
        await record(
            connection, now, actor.staff, "review.department_answered", "application", application,
            round_id=found.call, after={"department": department, "result": result, "text": text.strip()},
        )  # fmt: skip


async def decide(
    pool: Pool, application: str, outcome: str, reason: str, text: str, actor: Staff, now: datetime
) -> None:
    """Decide as both checklists say; where they disagree an administrator decides, with a text.

    Raises Refusal `bad_review`, `checklists_missing`, `checklists_disagree`, `joint_checks_open`, `wrong_stage`.
    """
    if mistake := outcome_mistake(outcome, reason, text):
        raise Refusal(RegistryReason.BAD_REVIEW, mistake)
    async with transaction(pool) as connection:
        found, review = await hold(connection, application, actor, now)
        require_stage(found, Stage.IN_REVIEW)
        filled = await store.checklists(connection, application, review.cycle)
        basis = _basis(filled, outcome, reason, text, actor)
        await _require_departments(connection, application, outcome, local_day(now, review))
        await store.add_decision(
            connection, application, review.cycle, outcome, reason, text.strip(), basis, actor.staff, now,
            local_day(now, review),
        )  # fmt: skip
        to = Stage.ACCEPTED if outcome == Outcome.ACCEPTED else Stage.NOT_ACCEPTED
        await move(connection, application, [Stage.IN_REVIEW], to, now)
        await record(
            connection, now, actor.staff, "review.decided", "application", application, round_id=found.call,
            before={"stage": found.stage},
            after={"outcome": outcome, "reason": reason, "text": text.strip(), "basis": basis, "cycle": review.cycle},
        )  # fmt: skip


def _basis(filled: list[Checklist], outcome: str, reason: str, text: str, actor: Staff) -> str:
    """`agreed` or `administrator`; raises Refusal where neither holds."""
    if len(filled) < CHECKLISTS:
        raise Refusal(
            RegistryReason.CHECKLISTS_MISSING,
            f"{len(filled)} of {CHECKLISTS} checklists are in; two reviewers fill one.",
        )
    if agree(filled):
        if (outcome, reason) == (filled[0].verdict, filled[0].reason):
            return "agreed"
        raise Refusal(
            RegistryReason.CHECKLISTS_DISAGREE,
            f"Both reviewers say {filled[0].verdict} {filled[0].reason}".rstrip() + ".",
        )
    if not actor.has(Role.ADMINISTRATOR):
        raise Refusal(CommonReason.FORBIDDEN, "The reviewers disagree: an administrator decides.")
    if actor.staff in {each.reviewer for each in filled}:
        raise Refusal(RegistryReason.SAME_PERSON, "You filled a checklist; a different administrator decides.")
    if not text.strip():
        raise Refusal(RegistryReason.BAD_REVIEW, "The reviewers disagree: say why you decide as you do.")
    return "administrator"


async def _require_departments(connection: Connection, application: str, outcome: str, today: date) -> None:
    """Accepting waits for the departments that were asked, until the day they had."""
    if outcome != Outcome.ACCEPTED:
        return
    waiting = [
        each.department
        for each in await store.joint_checks(connection, [application])
        if each.result is None and today <= each.due_on
    ]
    if waiting:
        raise Refusal(
            RegistryReason.JOINT_CHECKS_OPEN,
            f"{', '.join(waiting)} have not answered and have time left; wait for them.",
            departments=waiting,
        )

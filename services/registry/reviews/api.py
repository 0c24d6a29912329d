"""Routes of the preliminary review: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.applications import access
from services.registry.calendar import store as calendar
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.reviews import appeals, reading, reviewing, store, views
from services.registry.reviews.checklists import checked
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

OFFICE = (Role.REVIEWER, Role.ADMINISTRATOR)


class FilledChecklist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/review/checklists`: item → met, not_met or not_applicable."""

    items: dict[str, str]
    verdict: str
    reason: str = ""
    comment: str = ""


class AskCompletion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/completion`."""

    text: str
    working_days: int


class AskDepartments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/review/joint-checks`."""

    departments: list[str]
    working_days: int


class DepartmentAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT …/review/joint-checks/{department}`."""

    result: str
    text: str = ""


class ReviewDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/review/decision`; not accepted needs one of the three reasons and a text."""

    outcome: str
    reason: str = ""
    text: str = ""


class Appeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/appeal`."""

    text: str


class AppealDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/appeal/decision`."""

    outcome: str
    reply: str


@get(f"{PREFIX}/calls/{{call_id:str}}/reviews")
async def list_reviews(
    request: AnyRequest, call_id: FromPath[str], after: FromQuery[str] = "", limit: FromQuery[int] = LIMIT_DEFAULT,
    stage: FromQuery[str | None] = None, channel: FromQuery[str | None] = None,
) -> dict[str, Any]:  # fmt: skip
    """Reviews of a call with due dates, for the office; three queries."""
    own = parts(request)
    await own.door.require(request, *OFFICE, Role.AUDITOR)
    if any("\0" in text for text in (call_id, after, stage or "", channel or "")):
        raise Refusal(RegistryReason.BAD_FILTER, "A filter holds a character that no text has.")
    found = await store.page(own.pool, call_id, after, checked_limit(limit) + 1, stage, channel)
    days, now = await calendar.load(own.pool), own.clock.now()
    answer = page(found, limit, lambda each: each[0].application)
    lines = [views.line(review, days, filled, now) for review, filled in answer["items"]]
    return {**answer, "items": lines}


@get(f"{PREFIX}/applications/{{application:str}}/review")
async def get_review(request: AnyRequest, application: FromPath[str]) -> dict[str, Any]:
    """An application's review: whole for the office, decision and completion for its unit and channel."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    return await _answer(request, application, staff)


@post(f"{PREFIX}/applications/{{application:str}}/review/checklists", status_code=201)
async def fill_checklist(
    request: AnyRequest, application: FromPath[str], data: JSONBody[FilledChecklist]
) -> dict[str, Any]:
    """A reviewer's checklist; two reviewers fill one each."""
    own = parts(request)
    actor = await own.door.require(request, Role.REVIEWER)
    filled = checked(data.items, data.verdict, data.reason, data.comment, actor.staff)
    await reviewing.fill_checklist(own.pool, application, filled, actor, own.clock.now())
    return await _answer(request, application, actor)


@post(f"{PREFIX}/applications/{{application:str}}/completion", status_code=201)
async def ask_completion(
    request: AnyRequest, application: FromPath[str], data: JSONBody[AskCompletion]
) -> dict[str, Any]:
    """Ask once for completion (补正); the applicant edits and submits again."""
    own = parts(request)
    actor = await own.door.require(request, *OFFICE)
    await reviewing.ask_completion(own.pool, application, data.text, data.working_days, actor, own.clock.now())
    return await _answer(request, application, actor)


@post(f"{PREFIX}/applications/{{application:str}}/review/joint-checks", status_code=201)
async def ask_departments(
    request: AnyRequest, application: FromPath[str], data: JSONBody[AskDepartments]
) -> dict[str, Any]:
    """Ask other departments about the application."""
    own = parts(request)
    actor = await own.door.require(request, *OFFICE)
    await reviewing.ask_departments(own.pool, application, data.departments, data.working_days, actor, own.clock.now())
    return await _answer(request, application, actor)


@put(f"{PREFIX}/applications/{{application:str}}/review/joint-checks/{{department:str}}", status_code=200)
async def enter_result(
    request: AnyRequest, application: FromPath[str], department: FromPath[str], data: JSONBody[DepartmentAnswer]
) -> dict[str, Any]:
    """Enter what a department answered."""
    own = parts(request)
    actor = await own.door.require(request, *OFFICE)
    await reviewing.enter_result(own.pool, application, department, data.result, data.text, actor, own.clock.now())
    return await _answer(request, application, actor)


@post(f"{PREFIX}/applications/{{application:str}}/review/decision", status_code=201)
async def decide(request: AnyRequest, application: FromPath[str], data: JSONBody[ReviewDecision]) -> dict[str, Any]:
    """Accept or not accept, as both checklists say, or as an administrator decides between them."""
    own = parts(request)
    actor = await own.door.require(request, *OFFICE)
    await reviewing.decide(own.pool, application, data.outcome, data.reason, data.text, actor, own.clock.now())
    return await _answer(request, application, actor)


@post(f"{PREFIX}/applications/{{application:str}}/appeal", status_code=201)
async def file_appeal(request: AnyRequest, application: FromPath[str], data: JSONBody[Appeal]) -> dict[str, Any]:
    """The applicant appeals against not being accepted."""
    own = parts(request)
    actor = await own.door.require(request, *access.WRITERS)
    await appeals.file(own.pool, application, data.text, actor, own.clock.now())
    return await _answer(request, application, actor)


@post(f"{PREFIX}/applications/{{application:str}}/appeal/decision", status_code=201)
async def decide_appeal(
    request: AnyRequest, application: FromPath[str], data: JSONBody[AppealDecision]
) -> dict[str, Any]:
    """Somebody who did not review decides on the appeal."""
    own = parts(request)
    actor = await own.door.require(request, *OFFICE)
    await appeals.decide(own.pool, application, data.outcome, data.reply, actor, own.clock.now())
    return await _answer(request, application, actor)


async def _answer(request: AnyRequest, application: str, staff: Staff) -> dict[str, Any]:
    own = parts(request)
    return await reading.read(own.pool, application, staff, own.clock.now())


ROUTES = [
    list_reviews, get_review, fill_checklist, ask_completion, ask_departments, enter_result, decide, file_appeal,
    decide_appeal,
]  # fmt: skip

"""Routes of objections: anybody files one and asks by receipt; the office handles them."""

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from services.registry import attachments
from services.registry.attachments import Purpose
from services.registry.calendar import store as calendars
from services.registry.objections import office, store, views
from services.registry.objections.intake import KIND
from services.registry.objections.office import (
    OFFICE,
    ContactForm,
    DecisionForm,
    OpeningForm,
    OwnerForm,
    SecondForm,
)  # fmt: skip
from services.registry.objections.rules import Filing, ObjectionState, OfflineFiling
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import access
from services.registry.rounds import store as rounds
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.postgres import transaction
from services.shared.staff import Role

OF_ROUND = f"{PREFIX}/rounds/{{round_id:str}}/objections"
ONE = f"{PREFIX}/objections/{{receipt:str}}"
_READERS = (*OFFICE, Role.AUDITOR)


@get(f"{OF_ROUND}/challenge")
async def challenge(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """A proof of work for one objection."""
    own = parts(request)
    return _private(await own.intake.challenge(round_id, own.address(request)))


@post(OF_ROUND)
async def file(request: AnyRequest, round_id: FromPath[str], data: JSONBody[Filing]) -> Response[Any]:
    """Object to a published list; the receipt tells state and reply."""
    own = parts(request)
    receipt = await own.intake.file(round_id, data, own.address(request))
    return _private(await _public(request, receipt), status=201)


@post(f"{OF_ROUND}/offline")
async def enter(request: AnyRequest, round_id: FromPath[str], data: JSONBody[OfflineFiling]) -> Response[Any]:
    """Enter what came by letter, visit or phone, or without a name."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    if data.candidate is not None:
        await access.require_no_interest(own.pool, round_id, staff, [data.candidate])
    receipt = await own.intake.enter(round_id, data, staff.staff)
    return _private(await _public(request, receipt), status=201)


@get(OF_ROUND)
async def list_objections(
    request: AnyRequest,
    round_id: FromPath[str],
    objection_state: Annotated[str, QueryParameter(name="state")] = "",
    after: FromQuery[str] = "",
    limit: FromQuery[int] = LIMIT_DEFAULT,
) -> Response[Any]:
    """Objections of a round by receipt, without their texts; what concerns one's own unit or channel is left out."""
    own = parts(request)
    staff = await own.door.require(request, *_READERS)
    size = checked_limit(limit)
    if objection_state and objection_state not in list(ObjectionState):
        raise Refusal(RegistryReason.BAD_FILTER, f"state must be one of: {', '.join(ObjectionState)}.")
    if "\0" in after or await rounds.load_round(own.pool, round_id) is None:
        raise rounds.unknown_round(round_id)
    found = await store.page(own.pool, round_id, objection_state, after, size + 1, staff.unit, staff.channel)
    answer, calendar, now = (
        page(found, size, lambda each: each.receipt),
        await calendars.load(own.pool),
        own.clock.now(),
    )
    answer["items"] = [views.line_json(each, calendar, now, staff) for each in answer["items"]]
    return _private(answer)


@get(ONE)
async def show(request: AnyRequest, receipt: FromPath[str]) -> Response[Any]:
    """State and reply, for whoever has the receipt."""
    return _private(await _public(request, receipt))


@get(f"{ONE}/file")
async def read(request: AnyRequest, receipt: FromPath[str]) -> Response[Any]:
    """The whole objection for the office, without its objector; the read is logged."""
    own = parts(request)
    staff = await own.door.require(request, *_READERS)
    found = await office.read(own.pool, receipt, staff, own.clock.now())
    answer = views.office_json(found, await calendars.load(own.pool), own.clock.now(), staff)
    return _private({**answer, "attachments": await attachments.of(own.pool, KIND, found.receipt)})


@post(f"{ONE}/owner", status_code=200)
async def set_owner(request: AnyRequest, receipt: FromPath[str], data: JSONBody[OwnerForm]) -> Response[Any]:
    """Say who handles it."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    await office.own(own.pool, receipt, data, staff, own.clock.now())
    return await _handled(request, receipt, staff)


@post(f"{ONE}/contact", status_code=200)
async def contacted(request: AnyRequest, receipt: FromPath[str], data: JSONBody[ContactForm]) -> Response[Any]:
    """Note that the objector was reached by phone."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    await office.contact(own.pool, receipt, data, staff, own.clock.now())
    return await _handled(request, receipt, staff)


@post(f"{ONE}/decision", status_code=200)
async def decide(request: AnyRequest, receipt: FromPath[str], data: JSONBody[DecisionForm]) -> Response[Any]:
    """Answer it; upholding waits for a second signature."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    await office.decide(own.pool, receipt, data, staff, own.clock.now())
    return await _handled(request, receipt, staff)


@post(f"{ONE}/decision/confirmation", status_code=200)
async def second(request: AnyRequest, receipt: FromPath[str], data: JSONBody[SecondForm]) -> Response[Any]:
    """Second signature under upholding, or its return."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    await office.second(own.pool, receipt, data, staff, own.clock.now())
    return await _handled(request, receipt, staff)


@post(f"{ONE}/person", status_code=200)
async def open_person(request: AnyRequest, receipt: FromPath[str], data: JSONBody[OpeningForm]) -> Response[Any]:
    """Who objected, for who handles it; the read is logged with its reason."""
    own = parts(request)
    staff = await own.door.require(request, *OFFICE)
    person = await office.open_person(own.pool, own.intake, receipt, data, staff, own.clock.now())
    return _private({"name": person.name, "phone": person.phone})


@post(f"{ONE}/attachments", request_max_body_size=None)
async def attach(request: AnyRequest, receipt: FromPath[str]) -> Response[Any]:
    """Evidence or a scan behind an objection: from whoever has the receipt while it is open, at most five files."""
    own = parts(request)
    await office.require_room(own.pool, receipt)
    staff = await own.door.identify(request)
    actor = staff.staff if staff is not None and staff.has(*OFFICE) else "public"
    upload = await own.files.receive(request)
    async with transaction(own.pool) as connection:
        held = await office.require_room(connection, receipt)
        kept = await attachments.attach(
            connection, upload, KIND, held.receipt, Purpose.EVIDENCE, actor, own.clock.now(), held.round
        )
    return _private({"attachment": kept.attachment, "file_name": kept.file_name, "bytes": kept.bytes}, status=201)


async def _handled(request: AnyRequest, receipt: str, staff: Any) -> Response[Any]:
    own = parts(request)
    found = await office.find_public(own.pool, receipt)
    return _private(views.line_json(found, await calendars.load(own.pool), own.clock.now(), staff))


async def _public(request: AnyRequest, receipt: str) -> dict[str, Any]:
    own = parts(request)
    found = await office.find_public(own.pool, receipt)
    return views.public_json(found, await calendars.load(own.pool), own.clock.now())


def _private(body: Any, status: int = 200) -> Response[Any]:
    return Response(body, status_code=status, headers={"cache-control": "no-store"})


ROUTES = [
    challenge, file, enter, list_objections, show, read, set_owner, contacted, decide, second, open_person, attach,
]  # fmt: skip

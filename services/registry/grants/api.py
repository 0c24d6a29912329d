"""Routes of projects: parse, one domain call, reply."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.attachments import store as attachments
from services.registry.attachments.records import Purpose
from services.registry.grants import access, bookings, inspections, opening, payments, proposals, reading, views
from services.registry.grants.desk import act_on
from services.registry.grants.effects import AcceptanceForm, ChangeForm, Form, GrantForm, SettlementForm
from services.registry.grants.records import KIND, Booking, Project, ProposalKind, State
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, Parts, parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.postgres import transaction
from services.shared.staff import Role, Staff

ALL = f"{PREFIX}/rounds/{{round_id:str}}/projects"
ONE = f"{ALL}/{{candidate:str}}"
PURPOSES = (Purpose.VOUCHER, Purpose.EVIDENCE, Purpose.OTHER)
Answer = Response[dict[str, Any]]


@post(ALL)
async def open_all(request: AnyRequest, round_id: FromPath[str], data: JSONBody[opening.OpenForm]) -> Answer:
    """Open a project for each selected candidate of the confirmed list; again: those that came in since."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    opened = await opening.open_projects(own.pool, round_id, data, staff, own.clock.now())
    return Response({"round": round_id, "opened": opened}, status_code=201 if opened else 200)


@get(ALL)
async def list_all(
    request: AnyRequest, round_id: FromPath[str], after: FromQuery[str] = "", limit: FromQuery[int] = LIMIT_DEFAULT
) -> dict[str, Any]:
    """A round's projects: all for the office and auditors, their own for units and officers."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    found = await reading.projects(own.pool, round_id, *views.scope(staff), after, checked_limit(limit) + 1)
    if not found and await rounds.load_round(own.pool, round_id) is None:
        raise rounds.unknown_round(round_id)
    answer = page(found, limit, lambda project: project.candidate)
    return {**answer, "items": [views.head(each, _today(own, each)) for each in answer["items"]]}


def _today(own: Parts, project: Project) -> Any:
    return day_in(own.clock.now(), project.timezone)


@get(ONE)
async def get_one(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Answer:
    """Everything about a project, with what may be done next."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    return await _dossier(own, staff, round_id, candidate)


async def _dossier(own: Parts, staff: Staff, round_id: str, candidate: str, status: int = 200) -> Answer:
    async with transaction(own.pool) as connection:
        found = access.require_seen(staff, await reading.project(connection, round_id, candidate), candidate)
        whole = await reading.dossier(connection, found)
        files = await attachments.of(connection, KIND, found.object_id)
    body = views.dossier(whole, files, staff, _today(own, found))
    return Response(body, status_code=status, headers={"cache-control": "no-store"})


@post(f"{ONE}/attachments", request_max_body_size=None)
async def attach(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """Hand in a voucher or evidence: a multipart form with `file` and `purpose` (voucher, evidence, other)."""
    own = parts(request)
    staff = await own.door.require(request, Role.APPLICANT, *access.OFFICE)
    # Authorised before a byte is read, and once more when the row is written.
    access.require_seen(staff, await reading.project(own.pool, round_id, candidate), candidate)
    upload = await own.files.receive(request)
    purpose = next((each for each in PURPOSES if each == upload.fields.get("purpose")), None)
    if purpose is None:
        raise Refusal(RegistryReason.BAD_BOOKING, f"purpose must be one of: {', '.join(PURPOSES)}.")
    async with act_on(own.pool, round_id, candidate, staff, own.clock.now()) as act:
        if not access.is_units(staff, act.project):
            access.require_office(staff, act.project)
        act.require_state(*(each for each in State if each is not State.SETTLED))
        kept = await attachments.attach(
            act.connection, upload, KIND, act.project.object_id, purpose, staff.staff, act.now, round_id
        )
    return Response(kept, status_code=201)


async def _propose(
    request: AnyRequest, round_id: str, candidate: str, kind: ProposalKind, form: Form, *roles: Role
) -> Answer:
    own = parts(request)
    staff = await own.door.require(request, *roles)
    made = await proposals.propose(own.pool, round_id, candidate, kind, form, staff, own.clock.now())
    return Response({"proposal": made, "kind": kind, "state": "open"}, status_code=201)


@post(f"{ONE}/grants")
async def grant(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[GrantForm]
) -> Answer:
    """Propose a grant by approved lines, with its instalments."""
    return await _propose(request, round_id, candidate, ProposalKind.GRANT, data, *access.OFFICE)


@post(f"{ONE}/budget-changes")
async def change_budget(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[ChangeForm]
) -> Answer:
    """Propose a change of budget (预算调剂), by the unit; two of the office approve it."""
    return await _propose(request, round_id, candidate, ProposalKind.BUDGET_CHANGE, data, *_WRITERS)


@post(f"{ONE}/acceptances")
async def accept(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[AcceptanceForm]
) -> Answer:
    """Propose an acceptance (验收): the outcome of every target, and the opinion."""
    return await _propose(request, round_id, candidate, ProposalKind.ACCEPTANCE, data, *access.OFFICE)


@post(f"{ONE}/settlements")
async def settle(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[SettlementForm]
) -> Answer:
    """Propose the settlement of the money; its figures are filled in here."""
    return await _propose(request, round_id, candidate, ProposalKind.SETTLEMENT, data, *access.OFFICE)


@post(f"{ONE}/proposals/{{proposal:uuid}}/decisions")
async def decide(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], proposal: FromPath[UUID],
    data: JSONBody[proposals.DecisionForm],
) -> Answer:  # fmt: skip
    """Sign a proposal, or refuse it with a reason; the second signature makes it effective."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    decided = await proposals.decide(own.pool, round_id, candidate, proposal, data, staff, own.clock.now())
    return Response(
        {"proposal": decided.proposal, "kind": decided.kind, "state": decided.state, "signatures": decided.signatures},
        status_code=201,
    )


@post(f"{ONE}/bookings")
async def book(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[bookings.BookingForm]
) -> Answer:
    """Book an expenditure or own funds with its voucher: 201, or 200 for the same booking again."""
    own = parts(request)
    staff = await own.door.require(request, *_WRITERS)
    made, is_new = await bookings.book(own.pool, round_id, candidate, data, staff, own.clock.now())
    return await _booked(own, staff, round_id, candidate, made, is_new)


async def _booked(own: Parts, staff: Staff, round_id: str, candidate: str, made: Booking, is_new: bool) -> Answer:
    """A booking beside its line as it stands now, so that an over-spend is seen at once."""
    found = access.require_seen(staff, await reading.project(own.pool, round_id, candidate), candidate)
    lines = [views.line(each) for each in await reading.lines(own.pool, found) if each.line == made.line]
    return Response({"booking": views.booking(made), "line": lines[0]}, status_code=201 if is_new else 200)


@post(f"{ONE}/bookings/{{booking:uuid}}/reversals")
async def reverse_booking(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], booking: FromPath[UUID],
    data: JSONBody[bookings.ReversalForm],
) -> Answer:  # fmt: skip
    """Correct a booking by its opposite (storno)."""
    own = parts(request)
    staff = await own.door.require(request, *_WRITERS)
    made, is_new = await bookings.reverse(own.pool, round_id, candidate, booking, data, staff, own.clock.now())
    return await _booked(own, staff, round_id, candidate, made, is_new)


@post(f"{ONE}/bookings/{{booking:uuid}}/checks")
async def check_booking(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], booking: FromPath[UUID],
    data: JSONBody[bookings.CheckForm],
) -> Answer:  # fmt: skip
    """The office confirms or queries a booking."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    checked = await bookings.check(own.pool, round_id, candidate, booking, data, staff, own.clock.now())
    return Response(views.booking(checked), status_code=201)


@post(f"{ONE}/payments")
async def pay(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[payments.PaymentForm]
) -> Response[Any]:
    """Enter an instalment paid out, or money returned after settlement."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    made, is_new = await payments.pay(own.pool, round_id, candidate, data, staff, own.clock.now())
    return Response(made, status_code=201 if is_new else 200)


@post(f"{ONE}/payments/{{payment:uuid}}/reversals")
async def reverse_payment(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], payment: FromPath[UUID],
    data: JSONBody[payments.PaymentReversalForm],
) -> Response[Any]:  # fmt: skip
    """Correct a payment by its opposite."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    made, is_new = await payments.reverse(own.pool, round_id, candidate, payment, data, staff, own.clock.now())
    return Response(made, status_code=201 if is_new else 200)


@post(f"{ONE}/inspections")
async def plan_inspection(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], data: JSONBody[inspections.PlanForm]
) -> Answer:
    """Plan an inspection."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    made = await inspections.plan(own.pool, round_id, candidate, data, staff, own.clock.now())
    return Response({"inspection": made}, status_code=201)


@post(f"{ONE}/inspections/{{inspection:uuid}}/reports")
async def report_inspection(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], inspection: FromPath[UUID],
    data: JSONBody[inspections.ReportForm],
) -> Answer:  # fmt: skip
    """Write how an inspection ended; the answer is the whole project, with the findings' ids."""
    own = parts(request)
    staff = await own.door.require(request, *access.OFFICE)
    await inspections.report(own.pool, round_id, candidate, inspection, data, staff, own.clock.now())
    return await _dossier(own, staff, round_id, candidate, 201)


@post(f"{ONE}/findings/{{finding:uuid}}/steps")
async def follow_finding(
    request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str], finding: FromPath[UUID],
    data: JSONBody[inspections.StepForm],
) -> Answer:  # fmt: skip
    """A finding is remedied by the unit, closed or reopened by the office."""
    own = parts(request)
    staff = await own.door.require(request, *_WRITERS)
    found, today = await inspections.follow_up(own.pool, round_id, candidate, finding, data, staff, own.clock.now())
    return Response(views.finding(found, today), status_code=201)


_WRITERS = (Role.APPLICANT, *access.OFFICE)

ROUTES = [
    open_all, list_all, get_one, attach, grant, change_budget, accept, settle, decide, book, reverse_booking,
    check_booking, pay, reverse_payment, plan_inspection, report_inspection, follow_finding,
]  # fmt: skip

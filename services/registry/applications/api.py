"""Routes of applications: parse, one domain call, reply. Consents have their own (`consent_api.py`)."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.applications import access, drafting, filing, list_store, reading, store, views
from services.registry.applications.checking import PROOFS
from services.registry.applications.content import FIELD_TITLES
from services.registry.applications.drafting import Incomplete
from services.registry.applications.problems import facts as problem_facts
from services.registry.applications.records import Application, Version
from services.registry.applications.snapshot import printable
from services.registry.applications.stages import Stage
from services.registry.attachments import Attachment
from services.registry.documents.application_docx import application_form_docx
from services.registry.documents.pdf import application_form_pdf
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.printing import DOCX, PDF, document
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Staff

NO_STORE = {"cache-control": "no-store"}
TEXT_MAX = 200


class NewApplication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /calls/{call}/applications`; `on_behalf` is the unit a clerk enters it for."""

    content: dict[str, Any] = {}
    on_behalf: str = ""


class SavedContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /applications/{application}`: what changed, and the version it was read at."""

    version: int
    content: dict[str, Any]


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/submit`."""

    version: int | None = None


class WithReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/withdraw` and `POST …/reopen-requests`."""

    reason: str = ""
    version: int | None = None


@get(f"{PREFIX}/calls/{{call:str}}/form")
async def get_form(request: AnyRequest, call: FromPath[str]) -> dict[str, Any]:
    """The fields of a call's form with their limits; open to everybody, as the announcement is."""
    own = parts(request)
    found = await _announced(request, call)
    return views.form(found, PROOFS, own.settings.attachment_max_bytes, own.clock.now(), own.pages.translate(request))


@post(f"{PREFIX}/calls/{{call:str}}/applications")
async def begin(request: AnyRequest, call: FromPath[str], data: JSONBody[NewApplication]) -> Response[dict[str, Any]]:
    """Begin a draft."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    try:
        identifier = await drafting.begin(own.pool, call, data.content, data.on_behalf.strip(), staff, now)
    except Incomplete as wrong:
        raise _refusal(request, wrong) from None
    return Response(await _whole(request, identifier, staff), status_code=201, headers=NO_STORE)


@get(f"{PREFIX}/calls/{{call:str}}/applications")
async def list_applications(
    request: AnyRequest,
    call: FromPath[str],
    stage: FromQuery[str] = "",
    channel: FromQuery[str] = "",
    level: FromQuery[str] = "",
    category: FromQuery[str] = "",
    unit: FromQuery[str] = "",
    q: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: FromQuery[int] = LIMIT_DEFAULT,
) -> Response[dict[str, Any]]:
    """A page of the applications that the caller may see."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    size = checked_limit(limit)
    wanted = _filters(list_store.Filters(stage, channel, level, category, unit, q.strip(), after))
    found = await _announced(request, call)
    lines = await list_store.lines(own.pool, found.call, staff, wanted, size + 1)
    answer = page(lines, size, lambda line: line.application)
    return Response({**answer, "items": [views.line(each) for each in answer["items"]]}, headers=NO_STORE)


def _filters(wanted: list_store.Filters) -> list_store.Filters:
    """Raises Refusal `bad_filter`."""
    texts = (wanted.channel, wanted.level, wanted.category, wanted.unit, wanted.q, wanted.after)
    if any("\0" in text or len(text) > TEXT_MAX for text in texts):
        raise Refusal(RegistryReason.BAD_FILTER, f"A filter has at most {TEXT_MAX} characters.")
    if wanted.stage and wanted.stage not in set(Stage):
        raise Refusal(RegistryReason.BAD_FILTER, f"stage is one of: {', '.join(Stage)}.")
    return wanted


@get(f"{PREFIX}/applications/{{application:str}}")
async def get_application(request: AnyRequest, application: FromPath[str]) -> Response[dict[str, Any]]:
    """The whole application."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    return Response(await _whole(request, application, staff, read=True), headers=NO_STORE)


@put(f"{PREFIX}/applications/{{application:str}}")
async def save(
    request: AnyRequest, application: FromPath[str], data: JSONBody[SavedContent]
) -> Response[dict[str, Any]]:
    """Autosave: what is left out stays, lists come whole."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    try:
        version, at = await drafting.save(own.pool, application, data.content, data.version, staff, now)
    except Incomplete as wrong:
        raise _refusal(request, wrong) from None
    return Response({"application": application, "version": version, "changed_at": at}, headers=NO_STORE)


@get(f"{PREFIX}/applications/{{application:str}}/check")
async def check(request: AnyRequest, application: FromPath[str]) -> Response[dict[str, Any]]:
    """What is missing or wrong, where, in words."""
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    found = await reading.seen(own.pool, application, staff)
    problems = await drafting.problems(own.pool, found, own.clock.now())
    return Response({"version": found.version, **views.check(problems, own.pages.translate(request))}, headers=NO_STORE)


@post(f"{PREFIX}/applications/{{application:str}}/submit", status_code=200)
async def submit(
    request: AnyRequest, application: FromPath[str], data: JSONBody[Submission | None] = None
) -> Response[dict[str, Any]]:
    """Hand the application in; the receive time decides about the deadline."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    try:
        await drafting.submit(own.pool, application, data.version if data else None, staff, now)
    except Incomplete as wrong:
        raise _refusal(request, wrong) from None
    return Response(await _whole(request, application, staff), headers=NO_STORE)


@post(f"{PREFIX}/applications/{{application:str}}/withdraw", status_code=200)
async def withdraw(
    request: AnyRequest, application: FromPath[str], data: JSONBody[WithReason | None] = None
) -> Response[dict[str, Any]]:
    """Take the application back for good."""
    own = parts(request)
    staff = await own.door.require(request, *access.WRITERS)
    told = data or WithReason()
    await drafting.withdraw(own.pool, application, told.reason, told.version, staff, own.clock.now())
    return Response(await _whole(request, application, staff), headers=NO_STORE)


@post(f"{PREFIX}/applications/{{application:str}}/reopen-requests", status_code=201)
async def reopen(
    request: AnyRequest, application: FromPath[str], data: JSONBody[WithReason]
) -> Response[dict[str, Any]]:
    """Make a submission a draft again, before the deadline."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    await drafting.reopen(own.pool, application, data.reason, data.version, staff, now)
    return Response(await _whole(request, application, staff), status_code=201, headers=NO_STORE)


# The body is bounded while it streams (attachments/receiving.py), by a setting that may be above other bodies' limit.
@post(f"{PREFIX}/applications/{{application:str}}/attachments", request_max_body_size=None)
async def attach_file(request: AnyRequest, application: FromPath[str]) -> Response[Attachment]:
    """Attach a file: multipart with `file`, `purpose`, and `partner` or `version_code` where the purpose needs it."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *access.WRITERS)
    await filing.require_may_file(own.pool, application, staff)
    upload = await own.files.receive(request)
    made = await filing.add(own.pool, application, upload, staff, now)
    return Response(made, status_code=201, headers=NO_STORE)


@delete(f"{PREFIX}/applications/{{application:str}}/attachments/{{attachment:str}}", status_code=204)
async def remove_file(request: AnyRequest, application: FromPath[str], attachment: FromPath[str]) -> None:
    """Take a wrong file out of the form."""
    own = parts(request)
    staff = await own.door.require(request, *access.WRITERS)
    await filing.remove(own.pool, application, attachment, staff, own.clock.now())


@get(f"{PREFIX}/applications/{{application:str}}/form.pdf")
async def form_pdf(request: AnyRequest, application: FromPath[str]) -> Response[bytes]:
    """The form as it was handed in last, to be printed and stamped."""
    own = parts(request)
    found, version = await _handed_in(request, application)
    content = await own.printer.make(application_form_pdf, printable(found, version))
    return document(content, PDF, f"{version.version_code}.pdf", f"申报书-{version.version_code}.pdf")


@get(f"{PREFIX}/applications/{{application:str}}/form.docx")
async def form_docx(request: AnyRequest, application: FromPath[str]) -> Response[bytes]:
    """The same as a Word file."""
    own = parts(request)
    found, version = await _handed_in(request, application)
    content = await own.printer.make(application_form_docx, printable(found, version))
    return document(content, DOCX, f"{version.version_code}.docx", f"申报书-{version.version_code}.docx")


async def _handed_in(request: AnyRequest, identifier: str) -> tuple[Application, Version]:
    own = parts(request)
    staff = await own.door.require(request, *access.READERS)
    found = await reading.seen(own.pool, identifier, staff)
    version = await reading.handed_in(own.pool, found)
    await reading.note(own.pool, found, staff, own.clock.now())
    return found, version


async def _whole(request: AnyRequest, identifier: str, staff: Staff, *, read: bool = False) -> dict[str, Any]:
    own = parts(request)
    found = await reading.seen(own.pool, identifier, staff)
    if read:
        await reading.note(own.pool, found, staff, own.clock.now())
    return await reading.whole(own.pool, found, staff, own.clock.now())


async def _announced(request: AnyRequest, call: str) -> store.Call:
    found = await store.load_call(parts(request).pool, call)
    if found is None or found.state == "draft":
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"There is no call {call[:64]!r}.")
    return found


def _refusal(request: AnyRequest, wrong: Incomplete) -> Refusal:
    translate = parts(request).pages.translate(request)
    return Refusal(wrong.reason, wrong.detail, problems=problem_facts(wrong.problems, FIELD_TITLES, translate))


ROUTES = [
    get_form,
    begin,
    list_applications,
    get_application,
    save,
    check,
    submit,
    withdraw,
    reopen,
    attach_file,
    remove_file,
    form_pdf,
    form_docx,
]

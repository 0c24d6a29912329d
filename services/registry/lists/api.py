"""Routes of lists: versions and differences for everybody, acts of two people for the office."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry import attachments
from services.registry.attachments import Purpose
from services.registry.documents.office_docx import list_docx, retraction_docx
from services.registry.documents.pdf import list_pdf, retraction_pdf
from services.registry.lists import papers, proposal_store, proposals, store, versions, views
from services.registry.lists.store import Notice
from services.registry.lists.wanted import WantedChange, WantedConfirmation, WantedRetraction
from services.registry.log.record import record
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.printing import document
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.postgres import transaction
from services.shared.staff import Role

LISTS = f"{PREFIX}/rounds/{{round_id:str}}/lists"
ONE = f"{LISTS}/{{name:str}}"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_READERS = (Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
_PURPOSES = (Purpose.STAMPED_LIST, Purpose.MINUTES, Purpose.EVIDENCE)


class WithdrawalForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


class DocumentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    document_number: str


@get(LISTS)
async def list_versions(request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    """Every version, newest first, with its objection window."""
    round_ = await _round(request, round_id)
    known = await store.versions(parts(request).pool, round_.round)
    return {"round": round_.round, "items": [views.version_json(each, round_.list_version) for each in known]}


@get(ONE)
async def show_list(request: AnyRequest, round_id: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """One version as JSON, `.pdf` or `.docx`, `.retraction.pdf` or `.retraction.docx`."""
    own = parts(request)
    round_ = await _round(request, round_id)
    number, _, kind = name.partition(".")
    notice = await _notice(request, round_, number)
    if not kind:
        differences = await versions.public_difference(own.pool, round_, notice.version)
        return Response(views.notice_json(notice, differences, round_), headers={"cache-control": "no-cache"})
    return await _paper(request, round_, notice, kind)


async def _paper(request: AnyRequest, round_: Round, notice: Notice, kind: str) -> Response[bytes]:
    own = parts(request)
    office, file_name = own.settings.office_name, f"{round_.round}-list-{notice.version}.{kind}"
    chinese = f"{round_.title}名单第{notice.version}版.{kind}"
    if kind.startswith("retraction.") and notice.retracted_at is not None:
        retracted = papers.retraction_paper(round_, notice, office, round_.list_version)
        if kind == "retraction.pdf":
            return document(await own.printer.make(retraction_pdf, retracted), PDF, file_name, chinese)
        if kind == "retraction.docx":
            return document(await own.printer.make(retraction_docx, retracted), DOCX, file_name, chinese)
    published = papers.paper(round_, notice, office, own.settings.hotline)
    if kind == "pdf":
        return document(await own.printer.make(list_pdf, published), PDF, file_name, chinese)
    if kind == "docx":
        return document(await own.printer.make(list_docx, published), DOCX, file_name, chinese)
    raise _unknown()


@get(f"{ONE}/scan")
async def show_scan(request: AnyRequest, round_id: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """The stamped list as it was scanned, for everybody."""
    own = parts(request)
    notice = await _notice(request, await _round(request, round_id), name)
    found = await attachments.find(own.pool, notice.scan) if notice.scan else None
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_ATTACHMENT, "No stamped scan of this list has been added yet.")
    content = await own.files.read(bytes.fromhex(found.sha256))
    return document(content, found.media_type, f"{round_id}-list-{notice.version}-scan", found.file_name)


@post(f"{LISTS}/preview", status_code=200)
async def preview(request: AnyRequest, round_id: FromPath[str], data: JSONBody[WantedChange]) -> Response[Any]:
    """Who would move, by how much and why; nothing is stored."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    seen = await proposals.preview(own.pool, round_id, data, staff)
    cards = views.cards_of(await _round(request, round_id))
    return _private(
        {"version": data.version, "difference": [views.difference_json(e, cards) for e in seen.differences]}
    )


@post(f"{LISTS}/proposals")
async def propose(request: AnyRequest, round_id: FromPath[str], data: JSONBody[WantedChange]) -> Response[Any]:
    """First signature under changes."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    number = await proposals.propose_change(own.pool, round_id, data, staff, own.clock.now())
    return await _proposed(request, round_id, number)


@post(f"{ONE}/confirmation")
async def propose_confirmation(
    request: AnyRequest, round_id: FromPath[str], name: FromPath[str], data: JSONBody[WantedConfirmation]
) -> Response[Any]:
    """First signature under the confirmation by a meeting."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    number = await proposals.propose_confirmation(
        own.pool, round_id, _version(name), data, staff, own.clock.now()
    )  # fmt: skip
    return await _proposed(request, round_id, number)


@post(f"{ONE}/retraction")
async def propose_retraction(
    request: AnyRequest, round_id: FromPath[str], name: FromPath[str], data: JSONBody[WantedRetraction]
) -> Response[Any]:
    """First signature under taking a list back."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    number = await proposals.propose_retraction(own.pool, round_id, _version(name), data, staff, own.clock.now())
    return await _proposed(request, round_id, number)


@get(f"{LISTS}/proposals")
async def list_proposals(
    request: AnyRequest, round_id: FromPath[str], after: FromQuery[int] = 0, limit: FromQuery[int] = LIMIT_DEFAULT
) -> Response[Any]:
    """Acts on the round's lists in the order they were proposed."""
    own = parts(request)
    staff = await own.door.require(request, *_READERS)
    size = checked_limit(limit)
    round_ = await _round(request, round_id)
    found = page(await proposal_store.page(own.pool, round_.round, after, size + 1), size, lambda each: each.proposal)
    return _private({**found, "items": [views.proposal_json(each, staff) for each in found["items"]]})


@get(f"{LISTS}/proposals/{{number:int}}")
async def show_proposal(request: AnyRequest, round_id: FromPath[str], number: FromPath[int]) -> Response[Any]:
    """One act with both signatures."""
    staff = await parts(request).door.require(request, *_READERS)
    return _private(await _proposal_facts(request, round_id, number, staff))


@post(f"{LISTS}/proposals/{{number:int}}/confirmation", status_code=200)
async def confirm(request: AnyRequest, round_id: FromPath[str], number: FromPath[int]) -> Response[Any]:
    """Second signature; a different person's."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    await proposals.confirm(own.pool, round_id, number, staff, own.clock.now())
    return _private(await _proposal_facts(request, round_id, number, staff))


@post(f"{LISTS}/proposals/{{number:int}}/withdrawal", status_code=200)
async def withdraw(
    request: AnyRequest, round_id: FromPath[str], number: FromPath[int], data: JSONBody[WithdrawalForm]
) -> Response[Any]:
    """Take a proposal back before it takes effect."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    await proposals.withdraw(own.pool, round_id, number, data.reason, staff, own.clock.now())
    return _private(await _proposal_facts(request, round_id, number, staff))


@post(f"{ONE}/document")
async def assign_number(
    request: AnyRequest, round_id: FromPath[str], name: FromPath[str], data: JSONBody[DocumentForm]
) -> Response[Any]:
    """Give a list its document number; once, and no other list may have it."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR)
    number = data.document_number.strip()
    if not number or len(number) > papers.DOCUMENT_NUMBER_MAX or not number.isprintable():
        limit = papers.DOCUMENT_NUMBER_MAX
        raise Refusal(RegistryReason.BAD_DOCUMENT, f"document_number must be 1 to {limit} characters on one line.")
    notice = await _notice(request, await _round(request, round_id), name)
    async with transaction(own.pool) as connection:
        again = await proposal_store.assign_number(
            connection, round_id, notice.version, number, staff.staff, own.clock.now()
        )
        if not again:
            await record(
                connection, own.clock.now(), staff.staff, "list.numbered", proposals.KIND,
                proposals.list_object(round_id, notice.version), round_id=round_id, after={"document_number": number},
            )  # fmt: skip
    return Response({"round": round_id, "version": notice.version, "document_number": number}, status_code=201)


@post(f"{ONE}/attachments", request_max_body_size=None)
async def attach(request: AnyRequest, round_id: FromPath[str], name: FromPath[str]) -> Response[Any]:
    """A file of a list: `file`, and `purpose` stamped_list, minutes or evidence. Stamped lists are public."""
    own = parts(request)
    staff = await own.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    notice = await _notice(request, await _round(request, round_id), name)
    upload = await own.files.receive(request)
    purpose = next((each for each in _PURPOSES if each == upload.fields.get("purpose")), None)
    if purpose is None:
        raise Refusal(RegistryReason.BAD_DOCUMENT, f"purpose must be one of: {', '.join(_PURPOSES)}.")
    now = own.clock.now()
    async with transaction(own.pool) as connection:
        kept = await attachments.attach(
            connection, upload, proposals.KIND, proposals.list_object(round_id, notice.version), purpose, staff.staff,
            now, round_id,
        )  # fmt: skip
        if purpose is Purpose.STAMPED_LIST:
            await proposal_store.add_scan(connection, round_id, notice.version, kept.attachment, staff.staff, now)
    return Response(kept, status_code=201)


async def _proposed(request: AnyRequest, round_id: str, number: int) -> Response[Any]:
    staff = await parts(request).door.require(request, Role.ADMINISTRATOR)
    return _private(await _proposal_facts(request, round_id, number, staff), status=201)


async def _proposal_facts(request: AnyRequest, round_id: str, number: int, staff: Any) -> dict[str, Any]:
    found = await proposal_store.load(parts(request).pool, (await _round(request, round_id)).round, number)
    if found is None:
        raise Refusal(RegistryReason.UNKNOWN_PROPOSAL, "There is no such proposal in this round.")
    newest = (await _round(request, round_id)).list_version
    return {**views.proposal_json(found, staff), "round": round_id, "newest_list": newest}


async def _round(request: AnyRequest, round_id: str) -> Round:
    return await rounds.require_round(parts(request).pool, round_id)


async def _notice(request: AnyRequest, round_: Round, text: str) -> Notice:
    notice = await store.notice(parts(request).pool, round_.round, _version(text))
    if notice is None:
        raise _unknown()
    return notice


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise _unknown()
    return int(text)


def _unknown() -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_LIST, "There is no such list; see the round's lists.")


def _private(body: dict[str, Any], status: int = 200) -> Response[Any]:
    return Response(body, status_code=status, headers={"cache-control": "no-store"})


ROUTES = [
    list_versions, preview, propose, list_proposals, show_proposal, confirm, withdraw, show_list, show_scan,
    propose_confirmation, propose_retraction, assign_number, attach,
]  # fmt: skip

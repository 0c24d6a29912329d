"""Routes of clerks: the workbook to fill in, and its import."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from services.registry.applications import importing, store
from services.registry.applications.rules import require_window
from services.registry.documents.workbook_reader import read_applications_workbook
from services.registry.documents.workbook_template import applications_workbook
from services.registry.parts import PREFIX, parts
from services.registry.printing import XLSX, document
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

CLERKS = (Role.CHANNEL_OFFICER, Role.REVIEWER, Role.ADMINISTRATOR)


@get(f"{PREFIX}/calls/{{call:str}}/applications/template.xlsx")
async def template(request: AnyRequest, call: FromPath[str]) -> Response[bytes]:
    """The empty workbook."""
    own = parts(request)
    await own.door.require(request, *CLERKS)
    await _call(request, call)
    return document(await own.printer.make(applications_workbook), XLSX, "applications.xlsx", "项目申报导入表.xlsx")


@post(f"{PREFIX}/calls/{{call:str}}/applications/import", request_max_body_size=None)
async def import_workbook(request: AnyRequest, call: FromPath[str]) -> Response[dict[str, Any]]:
    """All applications of a workbook as drafts, or none of them and every problem with its sheet and cell."""
    own = parts(request)
    now = own.clock.now()
    staff = await own.door.require(request, *CLERKS)
    found = await _call(request, call)
    require_window(found, now)
    upload = await own.files.receive(request)
    rows, problems = await own.printer.make(read_applications_workbook, await own.files.read(upload.sha256))
    if problems:
        raise importing.bad_workbook(problems)
    made = await importing.bring_in(own.pool, found, rows, upload, staff, now)
    return Response(importing.facts(made), status_code=201, headers={"cache-control": "no-store"})


async def _call(request: AnyRequest, call: str) -> store.Call:
    found = await store.load_call(parts(request).pool, call)
    if found is None or found.state == "draft":
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"There is no call {call[:64]!r}.")
    return found


ROUTES = [template, import_workbook]

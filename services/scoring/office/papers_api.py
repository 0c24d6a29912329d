"""Routes of paper sheets beside their entries: giving out all sheets of an expert, and the scans of signed ones."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_201_CREATED

from services.scoring.desk import desk_of
from services.scoring.office import paper_sets, scan_store, scans
from services.scoring.reasons import Reason
from services.shared.errors import Refusal
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]
_FORM_ROOM = 64 * 1024


class PaperSetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose sheets are given out on paper: all that the expert has not submitted, or the one on a candidate."""

    expert: str
    candidate: str = ""


@post("/rounds/{round_id:str}/paper-sets", summary="Give out an expert's sheets on paper", status_code=HTTP_201_CREATED)
async def issue_set(request: AnyRequest, round_id: FromPath[str], data: JSONBody[PaperSetBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    issued = await paper_sets.issue(desk, official, round_id, data.expert, data.candidate)
    return {"expert": data.expert, "codes": [each.code for each in issued]}


@post(
    "/rounds/{round_id:str}/papers/{code:str}/scans",
    summary="Archive the scan of a signed paper sheet: a multipart form with `file`",
    request_max_body_size=scans.BYTES_MAX + _FORM_ROOM,
)
async def archive_scan(request: AnyRequest, round_id: FromPath[str], code: FromPath[str]) -> Json:
    desk = desk_of(request)
    clerk = await desk.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    given = (await request.form()).get("file")
    if not isinstance(given, UploadFile):
        raise Refusal(Reason.SCAN_MISSING, "Send a multipart form with one file, named `file`.")
    return _scan_json(await scans.archive(desk, clerk, round_id, code, await given.read()))


@get("/rounds/{round_id:str}/papers/{code:str}/scans/{digest:str}", summary="A scan, as it was archived")
async def show_scan(
    request: AnyRequest, round_id: FromPath[str], code: FromPath[str], digest: FromPath[str]
) -> Response[bytes]:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
    found, body = await scans.read(desk, official, round_id, code, digest)
    # As a download: what somebody uploaded is never shown as a page of this origin.
    name = f'attachment; filename="{found.code}-{found.digest[:8]}.{found.media_type.rpartition("/")[2]}"'
    return Response(body, media_type=found.media_type, headers={"content-disposition": name})


def _scan_json(found: scan_store.Scan) -> Json:
    return {name: getattr(found, name) for name in ("code", "digest", "media_type", "clerk", "at")}


ROUTES = [issue_set, archive_scan, show_scan]

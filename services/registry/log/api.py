"""Routes of the log: searching and exporting, for auditors and administrators. Both leave entries themselves."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from services.registry.log import entries, store
from services.registry.log.entries import Filters
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

_READERS = (Role.AUDITOR, Role.ADMINISTRATOR)
_FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
From = Annotated[str, QueryParameter(name="from")]
To = Annotated[str, QueryParameter(name="to")]
Object = Annotated[str, QueryParameter(name="object")]
Round = Annotated[str, QueryParameter(name="round")]
Format = Annotated[str, QueryParameter(name="format")]


@get(f"{PREFIX}/log")
async def search_log(
    request: AnyRequest,
    actor: FromQuery[str] = "",
    kind: FromQuery[str] = "",
    object_id: Object = "",
    round_id: Round = "",
    action: FromQuery[str] = "",
    since: From = "",
    until: To = "",
    after: FromQuery[int | None] = None,
    limit: FromQuery[int] = LIMIT_DEFAULT,
) -> Response[dict[str, Any]]:
    """Entries, newest first; `action` is a beginning such as `unit.`, `after` the key of the last one that was read."""
    own = parts(request)
    reader = await own.door.require(request, *_READERS)
    asked = entries.filters(actor, kind, object_id, round_id, action, since, until)
    size = checked_limit(limit)
    await store.note_read(own.pool, "searched", asked, reader.staff, own.clock.now())
    found = await store.search(own.pool, asked, after, size + 1)
    return Response(page(found, size, lambda entry: entry.id), headers={"cache-control": "no-store"})


@get(f"{PREFIX}/log/export")
async def export_log(
    request: AnyRequest,
    actor: FromQuery[str] = "",
    kind: FromQuery[str] = "",
    object_id: Object = "",
    round_id: Round = "",
    action: FromQuery[str] = "",
    since: From = "",
    until: To = "",
    form: Format = "jsonl",
) -> Stream:
    """Chained entries in their order, as `jsonl` (as they are hashed) or `csv`; streamed, however many there are."""
    own = parts(request)
    reader = await own.door.require(request, *_READERS)
    asked = entries.filters(actor, kind, object_id, round_id, action, since, until)
    if form not in _FORMATS:
        raise Refusal(RegistryReason.BAD_FILTER, f"format must be any of: {', '.join(_FORMATS)}.")
    await store.note_read(own.pool, "exported", asked, reader.staff, own.clock.now())
    headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="log.{form}"'}
    return Stream(_written(request, asked, form), media_type=_FORMATS[form], headers=headers)


async def _written(request: AnyRequest, asked: Filters, form: str) -> AsyncIterator[str]:
    if form == "csv":
        yield entries.csv_text([entries.CSV_COLUMNS])
    async for rows in store.export(parts(request).pool, asked):
        if form == "csv":
            yield entries.csv_text(map(entries.csv_row, rows))
        else:
            yield "".join(map(entries.json_line, rows))


ROUTES = [search_log, export_log]

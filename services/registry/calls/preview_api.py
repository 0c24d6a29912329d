"""The editor's question before anything is stored: what would the file say, and what would be wrong with it?"""

from typing import Any

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from services.registry.calls import calls, previews, store
from services.registry.parts import PREFIX, parts
from services.shared.pages import AnyRequest
from services.shared.staff import Role


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST …/preview`: fields of the form (null takes one out), or the whole text of the file."""

    fields: dict[str, Any] | None = None
    content: str | None = None


@post(f"{PREFIX}/calls/{{call_id:str}}/files/{{name:str}}/preview", status_code=200)
async def preview_file(
    request: AnyRequest, call_id: FromPath[str], name: FromPath[str], data: JSONBody[Wanted]
) -> Response[dict[str, Any]]:
    """The text after the change, its difference, and every mistake with file, line and field; nothing is stored."""
    own = parts(request)
    await own.door.require(request, Role.ADMINISTRATOR)
    call = await store.load(own.pool, call_id)
    if call is None:
        raise calls.unknown_call(call_id)
    answer = await previews.preview(own.pool, call, name, data.fields, data.content, own.clock.now())
    return Response(answer, headers={"cache-control": "no-store"})


ROUTES = [preview_file]

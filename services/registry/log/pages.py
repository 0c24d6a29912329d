"""The log for people: filters in the address, pages by key, export of what is filtered. Reading it is itself logged."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get

from services.registry.log import entries, store
from services.registry.office.entry import asked, visitor
from services.registry.paging import LIMIT_DEFAULT, page
from services.registry.parts import PREFIX, parts
from services.registry.rounds import overview_store
from services.shared.pages import AnyRequest
from services.shared.staff import Role

READERS = (Role.AUDITOR, Role.ADMINISTRATOR)
_ZONE = "+08:00"
_NAMES = ("actor", "kind", "object", "round", "action")


@get("/admin/log")
async def log_page(request: AnyRequest) -> Response[Any]:
    """Entries by actor, object, round, action and day (`from` and `to` are days in China's time), newest first."""
    own = parts(request)
    staff = await visitor(request, *READERS)
    wanted = {name: asked(request, name) for name in (*_NAMES, "from", "to")}
    filters = {**wanted, "from": _moment(wanted["from"]), "to": _moment(wanted["to"])}
    accounts = await overview_store.accounts(own.pool, wanted["actor"])
    query = entries.filters(
        accounts, filters["kind"], filters["object"], filters["round"], filters["action"], filters["from"],
        filters["to"],
    )  # fmt: skip
    after = asked(request, "after")
    before = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    await store.note_read(own.pool, "searched", query, staff.staff, own.clock.now())
    found = page(await store.search(own.pool, query, before, LIMIT_DEFAULT + 1), LIMIT_DEFAULT, lambda each: each.id)
    kept = {name: value for name, value in wanted.items() if value}
    export = {name: value for name, value in {**filters, "actor": accounts}.items() if value}
    return own.pages.render(
        request, "admin_log.html", staff=staff, wanted=wanted, entries=found["items"], after=after,
        people=await overview_store.names(own.pool, [each.actor for each in found["items"]]),
        first=f"?{urlencode(kept)}",
        following=f"?{urlencode({**kept, 'after': found['next']})}" if found["next"] else "",
        exports={form: f"{PREFIX}/log/export?{urlencode({**export, 'format': form})}" for form in ("csv", "jsonl")},
    )  # fmt: skip


def _moment(text: str) -> str:
    """A day as the moment it begins; what is a moment already, or wrong, is left to the filters to judge."""
    return f"{text}T00:00:00{_ZONE}" if len(text) == len("2020-10-01") else text


ROUTES = [log_page]

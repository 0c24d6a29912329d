"""What every page of the office begins with: who looks, what the address asks for, and where a list goes on.

Called by the pages of each subject; a page is a GET that shows state, acts go to the interfaces.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response

from services.registry.calls import store as calls
from services.registry.calls.store import Call
from services.registry.documents.listing import Listing, listing_csv, listing_xlsx
from services.registry.parts import parts
from services.registry.printing import XLSX, document
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

DESK = (Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)
EVERYBODY = (*DESK, Role.CHANNEL_OFFICER)
PAGE_SIZE = 50
EXPORT_MAX = 10_000
_TEXT_MAX = 200
_CALLS_MAX = 200
_CSV = "text/csv; charset=utf-8"

Line = TypeVar("Line")


class Cut(msgspec.Struct, frozen=True):
    """One page of a list by key, and the addresses of the first and the next page (empty: there is none)."""

    items: list[Any]
    first: str
    next: str


async def visitor(request: AnyRequest, *roles: Role) -> Staff:
    """Who looks, with one of the roles (`StaffDoor.visitor`): raises SignInFirst, or Refusal 403 for other roles."""
    return await parts(request).door.visitor(request, *roles)


def asked(request: AnyRequest, name: str) -> str:
    """What the address asks for under this name: a short text without what no text has, else empty."""
    text = str(request.query_params.get(name) or "").strip()
    return "" if "\0" in text else text[:_TEXT_MAX]


def picked(request: AnyRequest) -> list[str]:
    """The lines that were chosen for an export; empty means all."""
    return [str(each)[:_TEXT_MAX] for each in request.query_params.getall("pick", []) if "\0" not in str(each)]


def address(request: AnyRequest, **changes: str) -> str:
    """This page's address with some of what it asks for changed; what becomes empty is left out."""
    known = {name: str(value) for name, value in request.query_params.items() if name not in ("pick", "as", "lang")}
    wanted = {name: value for name, value in {**known, **changes}.items() if value}
    return f"{request.url.path}?{urlencode(wanted)}" if wanted else request.url.path


def cut(request: AnyRequest, found: Sequence[Line], key: Callable[[Line], str]) -> Cut:
    """A page of what a store answered to `PAGE_SIZE` + 1."""
    items = list(found[:PAGE_SIZE])
    following = address(request, after=key(items[-1])) if len(found) > PAGE_SIZE else ""
    return Cut(items, address(request, after="") if asked(request, "after") else "", following)


async def announced_calls(request: AnyRequest) -> list[Call]:
    """Calls that units apply under, the newest first."""
    found = await calls.page(parts(request).pool, "", _CALLS_MAX, drafts=False)
    return sorted(found, key=lambda each: (str(each.application_opens_at or ""), each.call), reverse=True)


def chosen_call(request: AnyRequest, known: Sequence[Call]) -> Call | None:
    """The call that the address names, else the newest; None where there is none."""
    wanted = asked(request, "call")
    return next((each for each in known if each.call == wanted), known[0] if known and not wanted else None)


def size(request: AnyRequest) -> int:
    """How many lines a list is asked for: one page and one more, or all of them for an export."""
    return EXPORT_MAX if is_export(request) else PAGE_SIZE + 1


def is_export(request: AnyRequest) -> bool:
    return asked(request, "as") in ("csv", "xlsx")


async def export(request: AnyRequest, listing: Listing, timezone: str = "Asia/Shanghai") -> Response[bytes]:
    """A list as a file, as the address asks: `as=csv` or `as=xlsx`."""
    own = parts(request)
    day = day_in(own.clock.now(), timezone)
    name = f"{listing.title}-{day.isoformat()}"
    if asked(request, "as") == "csv":
        return document(await own.printer.make(listing_csv, listing), _CSV, f"list-{day}.csv", f"{name}.csv")
    return document(await own.printer.make(listing_xlsx, listing, day), XLSX, f"list-{day}.xlsx", f"{name}.xlsx")

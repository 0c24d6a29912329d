"""Routes of the official calendar: parse, one domain call, reply. Reading is open to everybody, as the calendar is."""

from typing import Any

from litestar import get, put
from litestar.params import FromPath, JSONBody

from services.registry.calendar import store
from services.registry.calendar.days import NewYear, Source, WorkingCalendar, checked
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role

YEAR_MIN, YEAR_MAX = 2004, 2199


@get(f"{PREFIX}/calendar/{{year:int}}")
async def get_year(request: AnyRequest, year: FromPath[int]) -> dict[str, Any]:
    """A year's weekdays off and weekend days worked, where they come from, and whether they are provisional."""
    _require_year(year)
    return _facts(await store.load(parts(request).pool), year)


@put(f"{PREFIX}/calendar/{{year:int}}", status_code=200)
async def put_year(request: AnyRequest, year: FromPath[int], data: JSONBody[NewYear]) -> dict[str, Any]:
    """Upload a year as published; what is open is due by it from now on."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    _require_year(year)
    stored = await store.upload(own.pool, year, checked(year, data), actor.staff, own.clock.now())
    calendar = await store.load(own.pool)
    if stored is None:
        current = _facts(calendar, year)["version"]
        raise Refusal(RegistryReason.STALE_VERSION, f"{year} was uploaded meanwhile; read it again.", version=current)
    return _facts(calendar, year)


def _require_year(year: int) -> None:
    if not YEAR_MIN <= year <= YEAR_MAX:
        raise Refusal(RegistryReason.BAD_CALENDAR, f"year must be from {YEAR_MIN} to {YEAR_MAX}.")


def _facts(calendar: WorkingCalendar, year: int) -> dict[str, Any]:
    uploaded, source = calendar.years.get(year), calendar.source(year)
    off, worked = calendar.exceptions(year)
    return {
        "year": year,
        "version": uploaded.version if uploaded else 0,
        "source": source,
        "document": uploaded.document if uploaded else "",
        "provisional": source is Source.PROVISIONAL,
        "days_off": off,
        "days_worked": worked,
    }


ROUTES = [get_year, put_year]

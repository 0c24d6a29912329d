"""Lists of applications by key: one query a page, whatever the filters. Called by `api.py`."""

from datetime import datetime
from typing import Any

import msgspec

from services.registry.applications.stages import Stage
from services.shared.postgres import Pool
from services.shared.staff import Role, Staff

_ALL = (Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)


class Line(msgspec.Struct, frozen=True):
    """One application in a list: what is sorted and filtered by, nothing personal."""

    application: str
    call: str
    unit: str
    unit_name: str
    channel: str
    channel_name: str
    title: str
    level: str
    category: str
    stage: Stage
    version: int
    on_behalf: bool
    changed_at: datetime
    submitted_at: datetime | None
    version_code: str | None


class Filters(msgspec.Struct, frozen=True):
    """What a page of the list is asked for; an empty text filters nothing."""

    stage: str = ""
    channel: str = ""
    level: str = ""
    category: str = ""
    unit: str = ""
    q: str = ""
    after: str = ""


async def lines(pool: Pool, call: str, staff: Staff, wanted: Filters, limit: int) -> list[Line]:
    """Up to `limit` applications in the order of the identifiers, of what the staff member may see."""
    where, values = ["a.call = $1"], [call]  # type: list[str], list[Any]

    def value(given: Any) -> str:
        values.append(given)
        return f"${len(values)}"

    columns = ("stage", "channel", "level", "category", "unit")
    where += [f"a.{column} = {value(given)}" for column in columns if (given := getattr(wanted, column))]
    if wanted.q:
        where.append(f"a.title ILIKE {value(f'%{_escaped(wanted.q)}%')}")
    if wanted.after:
        where.append(f"a.application > {value(wanted.after)}")
    if not staff.has(*_ALL):
        where.append(_own(staff, value))
    rows = await pool.fetch(
        "SELECT a.application, a.call, a.unit, u.name AS unit_name, a.channel, h.name AS channel_name, a.title,"  # noqa: S608
        " a.level, a.category, a.stage, a.version, a.on_behalf, a.changed_at, a.submitted_at,"
        " (SELECT v.version_code FROM application_versions v WHERE v.application = a.application"
        "  ORDER BY v.number DESC LIMIT 1) AS version_code"
        " FROM applications a JOIN units u ON u.unit = a.unit JOIN channels h ON h.channel = a.channel"
        f" WHERE {' AND '.join(where)} ORDER BY a.application LIMIT {value(limit)}",
        *values,
    )
    return [Line(**{**dict(row), "stage": Stage(row["stage"])}) for row in rows]


class UnitLine(msgspec.Struct, frozen=True):
    """One application in its unit's own list, with its call."""

    application: str
    call: str
    call_title: str
    timezone: str
    closes_at: datetime | None
    title: str
    stage: Stage
    on_behalf: bool
    changed_at: datetime
    submitted_at: datetime | None
    version_code: str | None


async def of_unit(pool: Pool, unit: str, limit: int) -> list[UnitLine]:
    """What a unit applies for, newest first."""
    rows = await pool.fetch(
        "SELECT a.application, a.call, c.title AS call_title, c.timezone, c.application_closes_at AS closes_at,"
        " a.title, a.stage, a.on_behalf, a.changed_at, a.submitted_at,"
        " (SELECT v.version_code FROM application_versions v WHERE v.application = a.application"
        "  ORDER BY v.number DESC LIMIT 1) AS version_code"
        " FROM applications a JOIN calls c USING (call) WHERE a.unit = $1 ORDER BY a.application DESC LIMIT $2",
        unit, limit,
    )  # fmt: skip
    return [UnitLine(**{**dict(row), "stage": Stage(row["stage"])}) for row in rows]


def _own(staff: Staff, value: Any) -> str:
    """The unit's own, and what was handed in through the officer's channel (as `access.sees`)."""
    scopes = []
    if staff.has(Role.APPLICANT) and staff.unit:
        scopes.append(f"a.unit = {value(staff.unit)}")
    if staff.has(Role.CHANNEL_OFFICER) and staff.channel:
        handed_in = "((a.stage <> 'draft' AND a.submitted_at IS NOT NULL) OR a.on_behalf)"
        scopes.append(f"(a.channel = {value(staff.channel)} AND {handed_in})")
    return f"({' OR '.join(scopes)})" if scopes else "false"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

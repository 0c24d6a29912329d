"""Applications from a workbook, for units that only have paper: all of it becomes drafts, or nothing and every mistake.

The drafts are entered on the units' behalf; a clerk then attaches their papers and hands them in one by one. Called by
`import_api.py`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from openpyxl.utils import get_column_letter

from services.registry.applications import access, store
from services.registry.applications.content import BudgetLine, Content, Partner, Sections, Target, TeamMember
from services.registry.applications.drafting import new_identifier
from services.registry.applications.rules import require_window
from services.registry.attachments import Purpose, Upload, attach, of
from services.registry.documents.workbook_reader import WorkbookApplication, WorkbookProblem
from services.registry.documents.workbook_sheets import PROJECTS
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff
from services.shared.vocabulary import LEAD_KINDS

_LEAD_COLUMN = get_column_letter([column.field for column in PROJECTS.columns].index("lead_credit_code") + 1)


class Imported(msgspec.Struct, frozen=True):
    """A draft that an import made; `key` is its number in the workbook."""

    key: str
    application: str
    unit: str
    title: str


def bad_workbook(problems: list[WorkbookProblem]) -> Refusal:
    first = problems[0]
    place = " ".join(part for part in (first.sheet, first.cell) if part)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Refusal(
        RegistryReason.BAD_WORKBOOK,
        f"Nothing was imported: {place + ': ' if place else ''}{first.what}; {first.remedy}{more}.",
        problems=problems,
    )


async def bring_in(
    pool: Pool, call: store.Call, rows: list[WorkbookApplication], upload: Upload, staff: Staff, now: datetime
) -> list[Imported]:
    """Make every application of a workbook that was read without problems a draft; the workbook itself is kept."""
    require_window(call, now)
    codes = [row.lead.credit_code for row in rows]
    async with transaction(pool) as connection:
        await store.hold_call(connection, call.call)
        await _require_new(connection, call, upload)
        units = await store.load_units(connection, "credit_code", codes)
        problems = [problem for row in rows if (problem := _lead_problem(row, units.get(row.lead.credit_code), staff))]
        if problems:
            raise bad_workbook(problems)
        made = [await _insert(connection, call, row, units[row.lead.credit_code], staff, now) for row in rows]
        await attach(connection, upload, "call", call.call, Purpose.IMPORT, staff.staff, now, call.call)
    return made


async def _require_new(connection: Connection, call: store.Call, upload: Upload) -> None:
    """A second click must not enter everything twice."""
    for earlier in await of(connection, "call", call.call):
        if earlier.purpose == Purpose.IMPORT and earlier.sha256 == upload.sha256.hex():
            raise Refusal(
                RegistryReason.BAD_WORKBOOK,
                f"This very workbook was imported at {earlier.uploaded_at.isoformat(timespec='seconds')}.",
                problems=[],
            )


def _lead_problem(row: WorkbookApplication, unit: store.ApplyingUnit | None, staff: Staff) -> WorkbookProblem | None:
    """Why this row's lead cannot be entered by this clerk."""
    told = _lead_trouble(unit, staff)
    return WorkbookProblem(PROJECTS.name, f"{_LEAD_COLUMN}{row.line}", *told) if told else None


def _lead_trouble(unit: store.ApplyingUnit | None, staff: Staff) -> tuple[str, str] | None:
    office = staff.has(*access.OFFICE)
    if unit is None or not (office or access.is_officer(staff, unit.channel)):
        return "牵头单位没有在本渠道登记", "核对统一社会信用代码，或请该单位先登记"
    if office and access.has_conflict(staff, unit.unit, unit.channel):
        return "牵头单位与您有利害关系", "请同事导入这一项"
    if unit.kind not in LEAD_KINDS:
        return "该单位只能联合申报，不能牵头", "改由党政机关、企事业单位或社区（村）牵头"
    if unit.state != "approved":
        return "牵头单位还没有通过审核", "请所在区（县）先审核该单位"
    return None


async def _insert(
    connection: Connection, call: store.Call, row: WorkbookApplication, unit: store.ApplyingUnit, staff: Staff,
    now: datetime,
) -> Imported:  # fmt: skip
    identifier = new_identifier(now)
    content: dict[str, Any] = msgspec.to_builtins(content_of(row))
    await store.insert(connection, identifier, call.call, unit, content, on_behalf=True, actor=staff.staff, now=now)
    await record(
        connection, now, staff.staff, "application.imported", "application", identifier, round_id=call.call,
        after={"unit": unit.unit, "title": row.title, "on_behalf": True},
    )  # fmt: skip
    return Imported(row.key, identifier, unit.unit, row.title)


def content_of(row: WorkbookApplication) -> Content:
    """The form that a row of the workbook fills in; the total is that of its lines."""
    return Content(
        title=row.title,
        level=row.level,
        category=row.category,
        summary=row.summary,
        partners=[Partner(each.name, each.kind, each.credit_code) for each in row.partners],
        sections=Sections(**row.sections),
        team=[TeamMember(each.name, each.role) for each in row.team],
        budget=[BudgetLine(each.line, str(each.amount), each.basis) for each in row.budget],
        budget_total=_total(row),
        targets=[Target(each.target, each.measure, each.due) for each in row.targets],
    )


def _total(row: WorkbookApplication) -> str:
    return str(sum(each.amount for each in row.budget))


def facts(made: Iterable[Imported]) -> dict[str, Any]:
    items = list(made)
    return {"items": items, "count": len(items)}

"""The daily report as a document: one page for those who lead, without any ranking."""

from litestar import Response, get
from litestar.params import FromPath

from services.registry.documents.office_docx import daily_report_docx
from services.registry.parts import PREFIX, parts
from services.registry.printing import DOCX, document
from services.registry.rounds import neighbours, overview, store
from services.registry.rounds.daily_report import daily_report
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.staff import Role, bearer


@get(f"{PREFIX}/rounds/{{round_id:str}}/daily-report.docx")
async def get_daily_report(request: AnyRequest, round_id: FromPath[str]) -> Response[bytes]:
    """Turnout, holds, progress, today's events and what is due; what a service does not tell in time is left open."""
    own = parts(request)
    await own.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)
    round_, now = await store.require_round(own.pool, round_id), own.clock.now()
    elsewhere = await neighbours.ask(own.settings, round_.round, bearer(request))
    steps = await overview.of_round(own.pool, round_, now)
    report = daily_report(round_, elsewhere, steps, own.settings.office_name, now)
    content = await own.printer.make(daily_report_docx, report)
    day = day_in(now, round_.timezone)
    return document(content, DOCX, f"daily-{round_.round}-{day}.docx", f"{round_.title}每日情况{day}.docx")


ROUTES = [get_daily_report]

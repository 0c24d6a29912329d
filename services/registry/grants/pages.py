"""Public pages of projects: those of a round, and one with its money, inspections and acceptance; no personal data."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from services.registry.grants import access, reading, views
from services.registry.parts import parts
from services.registry.rounds import store as rounds
from services.shared.clock import day_in
from services.shared.pages import AnyRequest
from services.shared.postgres import transaction
from services.shared.vocabulary import CATEGORIES, LEVELS

PROJECTS_MAX = 1000


@get("/projects/{round_id:str}")
async def projects_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """Every project of a round with where it stands."""
    own = parts(request)
    round_ = await rounds.require_round(own.pool, round_id)
    found = await reading.projects(own.pool, round_id, None, None, "", PROJECTS_MAX)
    found.sort(key=lambda each: (list(LEVELS).index(each.level) if each.level in LEVELS else len(LEVELS), each.number))
    return own.pages.render(request, "projects.html", round=round_, projects=found, levels=LEVELS)


@get("/projects/{round_id:str}/{candidate:str}")
async def project_page(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    """One project: grant, spending by line, inspections, acceptance."""
    own = parts(request)
    async with transaction(own.pool) as connection:
        found = await reading.project(connection, round_id, candidate)
        if found is None:
            raise access.unknown(candidate)
        facts = views.public(await reading.dossier(connection, found))
    today = day_in(own.clock.now(), found.timezone)
    return own.pages.render(
        request, "project.html", **facts, today=today, levels=LEVELS, categories=CATEGORIES,
        contact=own.settings.hotline,
    )  # fmt: skip


ROUTES = [projects_page, project_page]

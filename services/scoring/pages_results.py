"""Public pages of results: the list of rounds; a round's ranking, candidates, statistics and versions once published.

They show the same to everybody, signed in or not: nothing of a version that is not published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import ranking_pages, rankings, store
from services.scoring.changes import compare
from services.scoring.desk import desk_of, pages_of
from services.scoring.ranking_pages import Shown
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.results import public_body
from services.scoring.rounds import Round
from services.shared.errors import Refusal

AnyRequest = Request[Any, Any, Any]
Show = Callable[[AnyRequest, Shown], Awaitable[Response[Any]]]


@get("/results", include_in_schema=False)
async def show_results(request: AnyRequest) -> Response[Any]:
    """Every real round: what a rehearsal comes to is nobody's result."""
    desk = desk_of(request)
    published = await store.published_versions(desk.pool)
    rounds = [
        {"round": each, "version": published.get(each.id)} for each in await desk.rounds() if not each.message.rehearsal
    ]
    return pages_of(request).render(request, "results.html", rounds=rounds)


async def _published(request: AnyRequest, round_id: str, version: int | None, show: Show) -> Response[Any]:
    """A page of the newest published version, or of the one asked for; before publication nothing but facts."""
    desk = desk_of(request)
    found = await desk.round(round_id)
    known = rankings.visible(await store.rankings(desk.pool, found.id), sees_all=False)
    if not known:
        window = found.window_state(desk.clock.now())
        return pages_of(request).render(request, "result_waiting.html", round=found, window=window)
    chosen = await _version(request, found, known, known[-1].version if version is None else version)
    base = f"/results/{found.id}"
    if chosen.version != known[-1].version:
        base += f"/versions/{chosen.version}"
    why = await store.recomputations(desk.pool, found.id)
    return await show(request, Shown(found, chosen, public_body(chosen.body, found.rules), known, base, why))


async def _version(request: AnyRequest, found: Round, known: list[Ranking], version: int) -> Ranking:
    """A published version with its body; raises Refusal `unknown_ranking`."""
    if version not in {each.version for each in known}:
        raise Refusal(Reason.UNKNOWN_RANKING, "Nothing is published under this version; see the list of versions.")
    ranking = await store.ranking(desk_of(request).pool, found.id, version)
    assert ranking is not None
    return ranking


@get("/results/{round_id:str}", include_in_schema=False)
async def show_result(
    request: AnyRequest, round_id: FromPath[str], version: FromQuery[int | None] = None
) -> Response[Any]:
    """`?version=` is the address of a version that earlier pages gave."""
    return await _published(request, round_id, version, ranking_pages.ranking_page)


@get("/results/{round_id:str}/versions/{version:int}", include_in_schema=False)
async def show_version(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[Any]:
    return await _published(request, round_id, version, ranking_pages.ranking_page)


@get("/results/{round_id:str}/statistics", include_in_schema=False)
async def show_statistics(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    return await _published(request, round_id, None, ranking_pages.statistics_page)


@get("/results/{round_id:str}/versions/{version:int}/statistics", include_in_schema=False)
async def show_statistics_of_version(
    request: AnyRequest, round_id: FromPath[str], version: FromPath[int]
) -> Response[Any]:
    return await _published(request, round_id, version, ranking_pages.statistics_page)


@get("/results/{round_id:str}/exclusions", include_in_schema=False)
async def show_exclusions(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    return await _published(request, round_id, None, ranking_pages.exclusions_page)


@get("/results/{round_id:str}/versions/{version:int}/exclusions", include_in_schema=False)
async def show_exclusions_of_version(
    request: AnyRequest, round_id: FromPath[str], version: FromPath[int]
) -> Response[Any]:
    return await _published(request, round_id, version, ranking_pages.exclusions_page)


@get("/results/{round_id:str}/versions", include_in_schema=False)
async def show_versions(
    request: AnyRequest,
    round_id: FromPath[str],
    before: FromQuery[int | None] = None,
    after: FromQuery[int | None] = None,
) -> Response[Any]:
    """The list of versions; with `?before=&after=` also who moved between two of them."""

    async def show(request: AnyRequest, shown: Shown) -> Response[Any]:
        change = None
        if before is not None and after is not None:
            old = await _version(request, shown.round, list(shown.known), before)
            new = await _version(request, shown.round, list(shown.known), after)
            bodies = [public_body(each.body, shown.round.rules) for each in (old, new)]
            change = await asyncio.to_thread(compare, old, new, *bodies)
        return ranking_pages.versions_page(request, shown, change)

    return await _published(request, round_id, None, show)


@get("/results/{round_id:str}/{candidate:str}", include_in_schema=False)
async def show_candidate(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Response[Any]:
    return await _published(request, round_id, None, _of(candidate))


@get("/results/{round_id:str}/versions/{version:int}/{candidate:str}", include_in_schema=False)
async def show_candidate_of_version(
    request: AnyRequest, round_id: FromPath[str], version: FromPath[int], candidate: FromPath[str]
) -> Response[Any]:
    return await _published(request, round_id, version, _of(candidate))


def _of(candidate: str) -> Show:
    async def show(request: AnyRequest, shown: Shown) -> Response[Any]:
        return await ranking_pages.candidate_page(request, shown, candidate)

    return show


ROUTES = [
    show_results,
    show_result,
    show_version,
    show_statistics,
    show_statistics_of_version,
    show_exclusions,
    show_exclusions_of_version,
    show_versions,
    show_candidate,
    show_candidate_of_version,
]

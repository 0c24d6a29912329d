"""The office's pages of rankings: versions with their states, what a recomputation would change, the two signatures.

Each is a look; the acts are forms that call the API. For administrators and auditors, also before publication.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import names, ranking_pages, rankings, store, tally_store
from services.scoring.changes import compare
from services.scoring.desk import desk_of, pages_of
from services.scoring.progress import panel_progress
from services.scoring.ranking_pages import Shown, change_context
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.result_views import Filter, group_counts, listing
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.staff import Role, Staff

AnyRequest = Request[Any, Any, Any]
Show = Callable[[AnyRequest, Shown], Awaitable[Response[Any]]]
# Beside the form of the second signature stand the first changes; the comparison has them all.
_CHANGES_BESIDE_MAX = 20


def _page(request: AnyRequest, template: str, round_: Round, staff: Staff, **context: Any) -> Response[Any]:
    answer = pages_of(request).render(
        request, template, round=round_, staff=staff, names=names, base=f"/panels/{round_.id}/rankings", **context
    )
    # What is not public must not stay in a shared machine's cache.
    answer.headers["cache-control"] = "no-store"
    return answer


async def _state(request: AnyRequest, round_: Round) -> dict[str, Any]:
    """What a ranking waits for: sheets and the tally; never a mark or a vote."""
    desk = desk_of(request)
    panel = panel_progress(round_, await store.sheet_statuses(desk.pool, round_.id))
    return {
        "tally": await tally_store.newest(desk.pool, round_.id),
        "reopening": await tally_store.reopening(desk.pool, round_.id),
        "window": round_.window_state(desk.clock.now()),
        "submitted": sum(each.submitted for each in panel),
        "recused": sum(each.recused for each in panel),
        "open": sum(each.assigned - each.submitted - each.recused for each in panel),
    }


async def _names(request: AnyRequest, known: Sequence[Ranking]) -> Mapping[str, str]:
    people = {name for each in known for name in (each.proposed_by, each.confirmed_by) if name}
    return await store.names_of(desk_of(request).pool, sorted(people))


@get("/panels/{round_id:str}/rankings", include_in_schema=False)
async def show_rankings(
    request: AnyRequest,
    round_id: FromPath[str],
    before: FromQuery[int | None] = None,
    after: FromQuery[int | None] = None,
) -> Response[Any]:
    """Every version with its state; with `?before=&after=` also who moved between two of them."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    known = await store.rankings(desk.pool, found.id)
    change = None
    if before is not None and after is not None:
        old, new = [await _version(request, found, number) for number in (before, after)]
        change = await asyncio.to_thread(compare, old, new, old.body, new.body)
    return _page(
        request,
        "rankings.html",
        found,
        staff,
        known=known,
        states=rankings.states(known),
        people=await _names(request, known),
        why=await store.recomputations(desk.pool, found.id),
        state=await _state(request, found),
        wanted=Filter.of(request.query_params),
        **change_context(change, Filter.of(request.query_params)),
    )


async def _version(request: AnyRequest, found: Round, version: int) -> Ranking:
    """One version with its body; raises Refusal `unknown_ranking`."""
    ranking = await store.ranking(desk_of(request).pool, found.id, version) if 0 < version < 10**6 else None
    if ranking is None:
        raise Refusal(Reason.UNKNOWN_RANKING, "No ranking has this version; see the list of versions.")
    return ranking


@get("/panels/{round_id:str}/rankings/preview", include_in_schema=False)
async def show_preview(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """Who would move by computing now, and the form that proposes it; or what is still missing."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, Role.ADMINISTRATOR)
    found = await desk.round(round_id)
    wanted, refusal, after, change = Filter.of(request.query_params), None, None, None
    try:
        before, after = await rankings.preview(desk, found.id, staff)
        if before is not None:
            change = await asyncio.to_thread(compare, before, after, before.body, after.body)
    except Refusal as told:
        refusal = told
    rows = [] if after is None else after.body["rows"]
    page, groups = listing(rows, wanted)
    return _page(
        request,
        "ranking_preview.html",
        found,
        staff,
        refusal=refusal,
        after=after,
        page=page,
        groups=groups,
        counts=group_counts(rows),
        causes=[cause.value for cause in rankings.Cause],
        people=await _names_of_open(request, refusal),
        state=await _state(request, found),
        wanted=wanted,
        **change_context(change, wanted),
    )


async def _names_of_open(request: AnyRequest, refusal: Refusal | None) -> Mapping[str, str]:
    """Display names of the experts whose open sheets a refusal names."""
    named = [] if refusal is None else refusal.extra.get("sheets", [])
    experts = sorted({str(each.get("expert", "")) for each in named if isinstance(each, Mapping)})
    return await store.names_of(desk_of(request).pool, experts)


async def _office(request: AnyRequest, round_id: str, version: int, show: Show) -> Response[Any]:
    """A page of any version, for whoever may see all of them."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    ranking = await _version(request, found, version)
    known = await store.rankings(desk.pool, found.id)
    why = await store.recomputations(desk.pool, found.id)
    base = f"/panels/{found.id}/rankings/{version}"
    return await show(request, Shown(found, ranking, ranking.body, known, base, why, staff))


@get("/panels/{round_id:str}/rankings/{version:int}", include_in_schema=False)
async def show_ranking(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[Any]:
    """The rows, what differs from the published version, and the form of the second signature."""

    async def show(request: AnyRequest, shown: Shown) -> Response[Any]:
        return await ranking_pages.ranking_page(request, shown, **await _signing(request, shown))

    return await _office(request, round_id, version, show)


async def _signing(request: AnyRequest, shown: Shown) -> dict[str, Any]:
    """The version's state, who signed, and the change from the newest published version before it."""
    earlier = [each for each in shown.known if each.published_at and each.version < shown.ranking.version]
    change = None
    if earlier:
        old = await _version(request, shown.round, earlier[-1].version)
        change = await asyncio.to_thread(compare, old, shown.ranking, old.body, shown.body)
    return {
        "state": rankings.states(shown.known)[shown.ranking.version],
        "people": await _names(request, shown.known),
        **change_context(change, Filter(), _CHANGES_BESIDE_MAX),
    }


@get("/panels/{round_id:str}/rankings/{version:int}/statistics", include_in_schema=False)
async def show_statistics(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[Any]:
    return await _office(request, round_id, version, ranking_pages.statistics_page)


@get("/panels/{round_id:str}/rankings/{version:int}/exclusions", include_in_schema=False)
async def show_exclusions(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[Any]:
    return await _office(request, round_id, version, ranking_pages.exclusions_page)


@get("/panels/{round_id:str}/rankings/{version:int}/{candidate:str}", include_in_schema=False)
async def show_candidate(
    request: AnyRequest, round_id: FromPath[str], version: FromPath[int], candidate: FromPath[str]
) -> Response[Any]:
    async def show(request: AnyRequest, shown: Shown) -> Response[Any]:
        return await ranking_pages.candidate_page(request, shown, candidate)

    return await _office(request, round_id, version, show)


ROUTES = [show_rankings, show_preview, show_ranking, show_statistics, show_exclusions, show_candidate]

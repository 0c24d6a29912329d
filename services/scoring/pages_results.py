"""Public pages of results: the list of rounds, and one round's ranking once it is published."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import names, store
from services.scoring.desk import desk_of, pages_of
from services.scoring.results import events_of, public_body

AnyRequest = Request[Any, Any, Any]


@get("/results", include_in_schema=False)
async def show_results(request: AnyRequest) -> Response[Any]:
    """Every real round: what a rehearsal comes to is nobody's result."""
    desk = desk_of(request)
    published = await store.published_versions(desk.pool)
    rounds = [
        {"round": each, "version": published.get(each.id)} for each in await desk.rounds() if not each.message.rehearsal
    ]
    return pages_of(request).render(request, "results.html", rounds=rounds)


@get("/results/{round_id:str}", include_in_schema=False)
async def show_result(
    request: AnyRequest, round_id: FromPath[str], version: FromQuery[int | None] = None
) -> Response[Any]:
    """The newest published version, or the one asked for with `?version=`; before publication nothing but facts."""
    desk = desk_of(request)
    found = await desk.round(round_id)
    known = [each for each in await store.rankings(desk.pool, found.id) if each.published_at is not None]
    chosen = next((each for each in known if each.version == version), known[-1] if known else None)
    if chosen is None:
        window = found.window_state(desk.clock.now())
        return pages_of(request).render(request, "result_waiting.html", round=found, window=window)
    ranking = await store.ranking(desk.pool, found.id, chosen.version)
    assert ranking is not None
    body = public_body(ranking.body, found.rules)
    return pages_of(request).render(
        request,
        "result.html",
        round=found,
        ranking=ranking,
        body=body,
        groups=_groups(body["rows"]),
        versions=known,
        by_strata=found.rules.votes.per == "stratum",
        criterion_titles={each["criterion"]: each["title"] for each in body["criteria"]},
        events=events_of(found, ranking.body),
        names=names,
        api=f"/api/scoring/v1/rounds/{found.id}",
        origin=desk.settings.public_origin,
    )


def _groups(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Rows come sorted by group's code; people read the levels in their own order."""
    found = [(group, list(members)) for group, members in groupby(rows, key=lambda row: row["group"])]
    return sorted(found, key=lambda pair: names.group_order(pair[0]))


ROUTES = [show_results, show_result]

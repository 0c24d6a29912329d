"""Routes of rankings and bundles: administrators propose and confirm, everybody reads what is published."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from services.scoring import bundles, paging, rankings, statistics, store, views
from services.scoring.desk import Desk, desk_of
from services.scoring.exports.files import MEDIA_TYPES, Filter, Kind, Source, write
from services.scoring.readers.keys import reads_all
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.results import public_body
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]


class RecomputationBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why a published ranking is computed again; the first version needs neither."""

    cause: rankings.Cause | None = None
    reason: str = ""


def _unknown() -> Refusal:
    return Refusal(Reason.UNKNOWN_RANKING, "Nothing is published under this address; see the round's results page.")


@post("/rounds/{round_id:str}/rankings", summary="Compute the ranking and propose its publication")
async def propose(
    request: AnyRequest, round_id: FromPath[str], data: JSONBody[RecomputationBody | None] = None
) -> Response[dict[str, Any]]:
    """Once a version is published, the body names cause and reason of computing again."""
    desk = desk_of(request)
    administrator = await desk.door.require(request, Role.ADMINISTRATOR)
    why = rankings.Recomputation(data.cause, data.reason) if data is not None and data.cause is not None else None
    proposed = await rankings.propose(desk, round_id, administrator, why)
    state = "published" if proposed.published_at else "proposed"
    return Response({"round": proposed.round, **views.ranking_json(proposed, state)}, status_code=HTTP_201_CREATED)


@post(
    "/rounds/{round_id:str}/rankings/{version:int}/confirmations",
    summary="Publish a proposed ranking, as a second administrator",
)
async def confirm(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[dict[str, Any]]:
    desk = desk_of(request)
    administrator = await desk.door.require(request, Role.ADMINISTRATOR)
    published = await rankings.confirm(desk, round_id, version, administrator)
    document = {"round": published.round, **views.ranking_json(published, "published")}
    return Response(document, status_code=HTTP_201_CREATED)


@get("/rounds/{round_id:str}/rankings", summary="Versions of the ranking; the public sees published ones")
async def list_rankings(
    request: AnyRequest,
    round_id: FromPath[str],
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> dict[str, Any]:
    """In pages, the oldest first: `next` is the `after` of the following one, null on the last."""
    desk = desk_of(request)
    found = await desk.round(round_id)
    sees_all = await reads_all(desk, request)
    known = await store.rankings(desk.pool, found.id)
    shown, state_of = rankings.visible(known, sees_all), rankings.states(known)
    if not shown and not sees_all:
        raise _unknown()
    following = [each for each in shown if each.version > after][: paging.checked_limit(limit) + 1]
    page = paging.page(
        following, limit, lambda each: each.version, lambda each: views.ranking_json(each, state_of[each.version])
    )
    return {"round": found.id, "rankings": page["items"], "next": page["next"]}


@get("/rounds/{round_id:str}/rankings/{name:str}", summary="One version as JSON, .json, .csv, .xlsx or .pdf")
async def show_ranking(
    request: AnyRequest,
    round_id: FromPath[str],
    name: FromPath[str],
    group: FromQuery[str] = "",
    outcome: FromQuery[str] = "",
    text: FromQuery[str] = "",
) -> Response[bytes]:
    """`group`, `outcome` and `text` (in title and unit) leave only such rows, in every form."""
    desk = desk_of(request)
    version, dot, ending = name.partition(".")
    if ending not in list(Kind) and dot:
        raise _unknown()
    found, ranking = await _visible_ranking(desk, request, round_id, version)
    sees_all = await reads_all(desk, request)
    private, kind = sees_all or ranking.published_at is None, Kind(ending or Kind.JSON)
    wanted = Filter(group, outcome, text)
    if kind is Kind.JSON:
        body = ranking.body if sees_all else public_body(ranking.body, found.rules)
        body = {**body, "rows": [row for row in body["rows"] if wanted.admits(row)]}
        known = await store.rankings(desk.pool, found.id)
        document = {"round": found.id, **views.ranking_json(ranking, rankings.states(known)[ranking.version]), **body}
        data = msgspec.json.encode(document)
    else:
        data = await _export(desk, found, ranking, kind, wanted, sees_all)
    return _file(data, MEDIA_TYPES[kind], f"{found.id}-ranking-{version}.{ending}" if ending else "", private)


async def _export(desk: Desk, found: Round, ranking: Ranking, kind: Kind, wanted: Filter, sees_all: bool) -> bytes:
    body = ranking.body if sees_all else public_body(ranking.body, found.rules)
    csv = (await store.ranking_files(desk.pool, found.id, ranking.version))["ranking.csv"]
    told = await statistics.if_made(desk, found.rules, ranking, sees_all) if kind is Kind.PDF else None
    source = Source(found, ranking, body, wanted, csv, told)
    published = ranking.published_at is not None
    key = (found.id, ranking.version, kind, wanted, sees_all, published, told is not None)
    return await desk.shelf.take(key, partial(write, kind, source))


@get(
    "/rounds/{round_id:str}/rankings/{version:int}/statistics",
    summary="Agreement, effective weights, rank intervals, sensitivity and own sheets of one version",
)
async def show_statistics(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[bytes]:
    desk = desk_of(request)
    found, ranking = await _visible_ranking(desk, request, round_id, str(version))
    document = await statistics.document_of(desk, found.rules, ranking, await reads_all(desk, request))
    return _file(msgspec.json.encode(document), "application/json", "", ranking.published_at is None)


async def _visible_ranking(desk: Desk, request: AnyRequest, round_id: str, version: str) -> tuple[Round, Ranking]:
    found = await desk.round(round_id)
    plain = version.isascii() and version.isdigit() and len(version) <= 6
    ranking = await store.ranking(desk.pool, found.id, int(version)) if plain else None
    if ranking is None or (ranking.published_at is None and not await reads_all(desk, request)):
        raise _unknown()
    return found, ranking


@get("/rounds/{round_id:str}/bundle.zip", summary="Everything needed to recompute the published ranking")
async def show_bundle(
    request: AnyRequest,
    round_id: FromPath[str],
    auditor: FromQuery[bool] = False,
    version: FromQuery[int | None] = None,
) -> Response[bytes]:
    """The newest published version, or the one asked for; auditors may ask for `?auditor=true`, also before that."""
    desk = desk_of(request)
    found = await desk.round(round_id)
    if auditor:
        await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    await reads_all(desk, request)
    known = rankings.visible(await store.rankings(desk.pool, found.id), sees_all=auditor)
    chosen = next((each for each in reversed(known) if version in (None, each.version)), None)
    if chosen is None:
        raise _unknown()
    files = await store.ranking_files(desk.pool, found.id, chosen.version)
    data = await asyncio.to_thread(bundles.bundle_zip, chosen, files, auditor)
    suffix = "-auditor" if auditor else ""
    return _file(data, "application/zip", f"{found.id}-bundle-{chosen.version}{suffix}.zip", auditor)


def _file(data: bytes, media_type: str, name: str, private: bool) -> Response[bytes]:
    headers = {"cache-control": "no-store" if private else "no-cache"}
    if name:
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(data, media_type=media_type, headers=headers, status_code=HTTP_200_OK)


ROUTES = [propose, confirm, list_rankings, show_ranking, show_statistics, show_bundle]

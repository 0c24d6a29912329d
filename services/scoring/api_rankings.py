"""Routes of rankings and bundles: administrators propose and confirm, everybody reads what is published."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from services.scoring import bundles, rankings, statistics, store, views
from services.scoring.desk import Desk, desk_of
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.results import public_body
from services.scoring.rounds import Round
from services.scoring.xlsx import ranking_xlsx
from services.shared.errors import Refusal
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class RecomputationBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why a published ranking is computed again; the first version needs neither."""

    cause: rankings.Cause | None = None
    reason: str = ""


async def _sees_all(desk: Desk, request: AnyRequest) -> bool:
    staff = await desk.door.identify(request)
    return staff is not None and staff.has(Role.ADMINISTRATOR, Role.AUDITOR)


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
async def list_rankings(request: AnyRequest, round_id: FromPath[str]) -> dict[str, Any]:
    desk = desk_of(request)
    found = await desk.round(round_id)
    sees_all = await _sees_all(desk, request)
    known = await store.rankings(desk.pool, found.id)
    shown, state_of = rankings.visible(known, sees_all), rankings.states(known)
    if not shown and not sees_all:
        raise _unknown()
    return {"round": found.id, "rankings": [views.ranking_json(each, state_of[each.version]) for each in shown]}


@get("/rounds/{round_id:str}/rankings/{name:str}", summary="One version as JSON, .csv, .xlsx or .json")
async def show_ranking(request: AnyRequest, round_id: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    desk = desk_of(request)
    version, _, kind = name.partition(".")
    found, ranking = await _visible_ranking(desk, request, round_id, version)
    sees_all = await _sees_all(desk, request)
    body = ranking.body if sees_all else public_body(ranking.body, found.rules)
    private = ranking.published_at is None
    if kind == "csv":
        files = await store.ranking_files(desk.pool, found.id, ranking.version)
        return _file(files["ranking.csv"], "text/csv; charset=utf-8", f"{found.id}-ranking-{version}.csv", private)
    if kind == "xlsx":
        digests = [("规则摘要", ranking.rules_digest), ("计票摘要", ranking.tally_digest), ("排名摘要", ranking.digest)]
        book = await asyncio.to_thread(ranking_xlsx, found.title, ranking.version, digests, body["rows"])
        return _file(book, XLSX, f"{found.id}-ranking-{version}.xlsx", private)
    if kind not in ("", "json"):
        raise _unknown()
    known = await store.rankings(desk.pool, found.id)
    document = {"round": found.id, **views.ranking_json(ranking, rankings.states(known)[ranking.version]), **body}
    name_of_file = f"{found.id}-ranking-{version}.json" if kind else ""
    return _file(msgspec.json.encode(document), "application/json", name_of_file, private)


@get(
    "/rounds/{round_id:str}/rankings/{version:int}/statistics",
    summary="Agreement, effective weights, rank intervals, sensitivity and own sheets of one version",
)
async def show_statistics(request: AnyRequest, round_id: FromPath[str], version: FromPath[int]) -> Response[bytes]:
    desk = desk_of(request)
    found, ranking = await _visible_ranking(desk, request, round_id, str(version))
    document = await statistics.document_of(desk, found.rules, ranking, await _sees_all(desk, request))
    return _file(msgspec.json.encode(document), "application/json", "", ranking.published_at is None)


async def _visible_ranking(desk: Desk, request: AnyRequest, round_id: str, version: str) -> tuple[Round, Ranking]:
    found = await desk.round(round_id)
    plain = version.isascii() and version.isdigit() and len(version) <= 6
    ranking = await store.ranking(desk.pool, found.id, int(version)) if plain else None
    if ranking is None or (ranking.published_at is None and not await _sees_all(desk, request)):
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

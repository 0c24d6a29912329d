"""One version of a ranking as pages: rows, one candidate, statistics, what was excluded.

The public's pages (`pages_results.py`) and the office's (`pages_rankings.py`) find the version that their reader may
see and call the same functions; `Shown.body` is all that a template gets of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from services.scoring import names, statistics, statistics_views, store
from services.scoring.desk import desk_of, pages_of
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.result_views import (
    ROWS_MAX,
    Filter,
    dropped_marks,
    exclusion_report,
    group_counts,
    listing,
    marks_of,
    page_of,
    standing,
)
from services.scoring.results import Body, events_of
from services.scoring.rounds import Round
from services.shared.errors import Refusal
from services.shared.ranking.bundle import parse_exclusions
from services.shared.staff import Staff

AnyRequest = Request[Any, Any, Any]
# Marks of a larger round are in its bundle; a page would read them all to show one candidate's.
_MARKS_BYTES_MAX = 4_000_000
# Reasons × candidates × days: 10,000 candidates on nine days stay below it.
_EXCLUSIONS_BYTES_MAX = 32_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A ranking with the body that its reader may see; `base` is its address, `staff` is None for the public.

    `known` are the versions that the reader may see, the oldest first; `why` tells of those computed again.
    """

    round: Round
    ranking: Ranking
    body: Body
    known: Sequence[Ranking]
    base: str
    why: Mapping[int, Mapping[str, Any]]
    staff: Staff | None = None

    @property
    def sees_all(self) -> bool:
        return self.staff is not None

    @property
    def versions(self) -> str:
        """The address of the list of versions; each version stands below it."""
        return f"/panels/{self.round.id}/rankings" if self.staff else f"/results/{self.round.id}/versions"

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.body["rows"]
        return rows


def render(request: AnyRequest, shown: Shown, template: str, here: str, **context: Any) -> Response[Any]:
    """A page of this version; `here` is the word of its place in the navigation."""
    answer = pages_of(request).render(
        request,
        template,
        shown=shown,
        round=shown.round,
        ranking=shown.ranking,
        body=shown.body,
        rules=shown.round.rules,
        staff=shown.staff,
        base=shown.base,
        here=here,
        names=names,
        numbers=statistics_views,
        criterion_titles={each["criterion"]: each["title"] or each["criterion"] for each in shown.body["criteria"]},
        rows_by_candidate={row["candidate"]: row for row in shown.rows},
        api=f"/api/scoring/v1/rounds/{shown.round.id}",
        **context,
    )
    if shown.sees_all:
        # What is not public must not stay in a shared machine's cache.
        answer.headers["cache-control"] = "no-store"
    return answer


async def ranking_page(request: AnyRequest, shown: Shown, **context: Any) -> Response[Any]:
    """The rows by group, filtered and paged by the address."""
    wanted = Filter.of(request.query_params)
    page, groups = listing(shown.rows, wanted)
    return render(
        request,
        shown,
        "result.html",
        "",
        wanted=wanted,
        page=page,
        groups=groups,
        counts=group_counts(shown.rows),
        events=events_of(shown.round, shown.body),
        origin=desk_of(request).settings.public_origin,
        **context,
    )


async def candidate_page(request: AnyRequest, shown: Shown, candidate: str) -> Response[Any]:
    """How one candidate's total was made, down to the dropped marks; raises Refusal `unknown_candidate`."""
    found = standing(shown.rows, candidate)
    if found is None:
        raise Refusal(Reason.UNKNOWN_CANDIDATE, "This ranking has no such candidate; see its list.")
    desk, document = desk_of(request), await _document(request, shown)
    scores = await store.ranking_file(desk.pool, shown.round.id, shown.ranking.version, "scores.csv", _MARKS_BYTES_MAX)
    marks = {} if scores is None else marks_of(scores, candidate)
    places = [] if document is None else document["intervals"]["places"]
    return render(
        request,
        shown,
        "result_candidate.html",
        "candidate",
        found=found,
        row=found.row,
        marks=marks,
        dropped=dropped_marks(document, candidate),
        interval=next((each for each in places if each["candidate"] == candidate), None),
        moves=[] if document is None else statistics_views.moves_of(document, candidate),
        exclusions=[each for each in await _exclusions(request, shown) if each.candidate == candidate],
    )


async def statistics_page(request: AnyRequest, shown: Shown) -> Response[Any]:
    """Agreement, weights, intervals, sensitivity and outlying marks of one group; `?group=&page=`."""
    wanted, document = Filter.of(request.query_params), await _document(request, shown)
    groups = list(group_counts(shown.rows))
    group = wanted.group if wanted.group in groups else next(iter(groups), "")
    views: dict[str, Any] = {}
    if document is not None and groups:
        views = _statistics_of_group(document, shown.round, group, wanted.page)
    return render(
        request,
        shown,
        "result_statistics.html",
        "statistics",
        wanted=wanted,
        group=group,
        groups=groups,
        document=document,
        **views,
    )


def _statistics_of_group(document: Mapping[str, Any], round_: Round, group: str, page: int) -> dict[str, Any]:
    intervals, low, high = statistics_views.intervals(document, group, page)
    combination = round_.rules.combination
    outlying, outlying_total = statistics_views.outlying(document, group)
    return {
        "weights": statistics_views.weights(document),
        "agreement": statistics_views.of_group(document, "agreement", group),
        "habits": statistics_views.habits(document, group),
        "intervals": intervals,
        "lowest": low,
        "highest": high,
        "inseparable": statistics_views.inseparable(document, [each["candidate"] for each in intervals.items]),
        "variants": statistics_views.variants(document, group),
        "crossing": statistics_views.crossings(
            document, group, combination.votes, combination.votes + combination.experts
        ),
        "outlying": outlying,
        "outlying_total": outlying_total,
    }


async def exclusions_page(request: AnyRequest, shown: Shown) -> Response[Any]:
    """The exclusion report as published: by reason, by day, one by one."""
    wanted = Filter.of(request.query_params)
    report = exclusion_report(await _exclusions(request, shown), wanted)
    cards = {card.candidate: card for card in shown.round.message.candidates}
    return render(
        request, shown, "result_exclusions.html", "exclusions", report=report, wanted=wanted, cards=cards
    )  # fmt: skip


def versions_page(request: AnyRequest, shown: Shown, change: Mapping[str, Any] | None) -> Response[Any]:
    """The list of versions and, where asked for, what changed between two of them."""
    wanted = Filter.of(request.query_params)
    return render(request, shown, "result_versions.html", "versions", wanted=wanted, **change_context(change, wanted))


def change_context(change: Mapping[str, Any] | None, wanted: Filter, size: int = ROWS_MAX) -> dict[str, Any]:
    """What the table of a change needs: whoever moved stands first, in pages of so many rows."""
    rows = [] if change is None else sorted(change["rows"], key=lambda row: row["place_before"] == row["place_after"])
    return {
        "change": change,
        "changes": page_of([row for row in rows if wanted.matches_change(row)], wanted.page, size),
    }


async def _document(request: AnyRequest, shown: Shown) -> Any:
    """The statistics as the reader may see them; None while they are being made, or where an old ranking has none."""
    return await statistics.if_made(desk_of(request), shown.round.rules, shown.ranking, shown.sees_all)


async def _exclusions(request: AnyRequest, shown: Shown) -> Sequence[Any]:
    data = await store.ranking_file(
        desk_of(request).pool, shown.round.id, shown.ranking.version, "exclusions.csv", _EXCLUSIONS_BYTES_MAX
    )
    # Off the loop: a country's file takes seconds.
    return () if data is None else await asyncio.to_thread(parse_exclusions, data)

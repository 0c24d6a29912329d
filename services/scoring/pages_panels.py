"""The office's pages of panels: every round that is scored, its progress board, and acts of two people.

Each page is a GET that shows state with forms; `desk.js` sends the forms to the API. Called by browsers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import names, paging, progress, store
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.office import reading
from services.scoring.office import store as office_store
from services.scoring.office.board import board
from services.scoring.panels import letter
from services.scoring.panels import store as panel_store
from services.scoring.records import SheetState
from services.scoring.rounds import Round
from services.scoring.views import Json
from services.shared.staff import Role, Staff

AnyRequest = Request[Any, Any, Any]
_WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR)
_PROPOSALS_PAGE = 50


@get("/panels", include_in_schema=False)
async def list_rounds(request: AnyRequest) -> Response[Any]:
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_WATCHERS, Role.OPERATOR, Role.REVIEWER)
    rows = [await _round_row(desk, each) for each in await desk.rounds() if each.window() is not None]
    return pages_of(request).render(request, "panels.html", staff=staff, rows=rows)


async def _round_row(desk: Desk, round_: Round) -> Json:
    panel = progress.panel_progress(round_, await store.sheet_statuses(desk.pool, round_.id))
    assigned = sum(each.assigned for each in panel)
    return {
        "round": round_,
        "window": round_.window_state(desk.clock.now()),
        "experts": len(panel),
        "assigned": assigned,
        "done": sum(each.submitted + each.recused for each in panel),
        "meeting": (await reading.turn(desk, round_))["state"],
    }


@get("/panels/{round_id:str}", include_in_schema=False)
async def show_progress(request: AnyRequest, round_id: FromPath[str], show: FromQuery[str] = "") -> Response[Any]:
    """Who is behind; `?show=behind` leaves out whoever is done."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_WATCHERS, Role.OPERATOR)
    found = await desk.round(round_id)
    panels = await _board(desk, found)
    rows = [row for panel in panels for row in panel["experts"]]
    if show == "behind":
        for panel in panels:
            panel["experts"] = [row for row in panel["experts"] if row["open"]]
    return pages_of(request).render(
        request,
        "panel_progress.html",
        staff=staff,
        round=found,
        panels=panels,
        show=show,
        totals={word: sum(row[word] for row in rows) for word in ("assigned", "submitted", "recused", "open")},
        window=found.window_state(desk.clock.now()),
        names=names,
    )


async def _board(desk: Desk, round_: Round) -> list[Json]:
    statuses = await store.sheet_statuses(desk.pool, round_.id)
    experts = list(round_.panel({each.expert for each in statuses}))
    panels = board(
        round_,
        statuses,
        await store.names_of(desk.pool, experts),
        await panel_store.signatures(desk.pool, round_.id, letter.VERSION),
        await office_store.last_saved(desk.pool, round_.id),
        await office_store.reminded(desk.pool, round_.id),
    )
    return sorted(panels, key=lambda each: names.group_order(each["group"]))


@get("/panels/{round_id:str}/changes", include_in_schema=False)
async def show_changes(request: AnyRequest, round_id: FromPath[str], after: FromQuery[int] = 0) -> Response[Any]:
    """Reopening, restoring, setting aside: what waits for a second person, what was done, and forms to propose."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_WATCHERS)
    found = await desk.round(round_id)
    known = await office_store.proposals(desk.pool, found.id, paging.checked_after(after), _PROPOSALS_PAGE + 1)
    statuses = progress.counting(found, await store.sheet_statuses(desk.pool, found.id))
    window = found.window_state(desk.clock.now())
    return pages_of(request).render(
        request,
        "panel_changes.html",
        staff=staff,
        round=found,
        window=window,
        proposals=[_proposal(staff, found, each) for each in known[:_PROPOSALS_PAGE]],
        next=known[_PROPOSALS_PAGE - 1].proposal if len(known) > _PROPOSALS_PAGE else None,
        snapshots=await office_store.snapshots(desk.pool, found.id),
        abandoned=[each for each in statuses if each.state is SheetState.DRAFT] if window.state == "closed" else [],
        **await people_and_cards(desk, found),
    )


def _proposal(staff: Staff, round_: Round, each: office_store.Proposal) -> Json:
    decidable = reading.may_decide(staff, round_, each.candidate, each.expert)
    return {
        "it": each,
        "card": round_.card(each.candidate),
        "may_confirm": staff.has(Role.ADMINISTRATOR) and each.proposed_by != staff.username and decidable,
        "own": each.proposed_by == staff.username,
        "tied": not decidable,
    }


async def people_and_cards(desk: Desk, round_: Round, more: Sequence[str] = ()) -> Json:
    """Everybody who scores, by user name with names, and the candidates: what forms offer to choose from."""
    statuses = await store.sheet_statuses(desk.pool, round_.id)
    experts = sorted({*round_.panel({each.expert for each in statuses}), *more})
    return {
        "people": await store.names_of(desk.pool, experts),
        "experts": experts,
        "cards": round_.standing,
    }


ROUTES = [list_rounds, show_progress, show_changes]

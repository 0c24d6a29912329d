"""The office's pages of a round's panels: pool, draw on the record, who scores what, and conflicts of interest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import names, paging, store
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.office import reading, reading_store
from services.scoring.office import store as office_store
from services.scoring.office.proposals import Kind
from services.scoring.panels import store as panel_store
from services.scoring.panels.drawing import commitment, final_seed
from services.scoring.panels.reserves import group_of
from services.scoring.rounds import Round
from services.scoring.views import Json
from services.shared.staff import Role, Staff

AnyRequest = Request[Any, Any, Any]
_WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR)
_PAGE = 50
_PROPOSALS_READ_MAX = 1000


@get("/panels/{round_id:str}/panel", include_in_schema=False)
async def show_panel(request: AnyRequest, round_id: FromPath[str], after: FromQuery[str] = "") -> Response[Any]:
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_WATCHERS)
    found = await desk.round(round_id)
    listed = await panel_store.pool(desk.pool, found.id)
    shown = [each for each in listed if each.expert > after][: _PAGE + 1]
    draws = await panel_store.draws(desk.pool, found.id)
    drawn = next((each for each in draws if each.drawn_at), None)
    called = await panel_store.called(desk.pool, found.id)
    named = (
        {each.expert for each in shown} | {each["expert"] for each in called} | {each["called_for"] for each in called}
    )
    named |= {name for each in (drawn.panels if drawn else ()) for name in (*each.members, *each.reserves)}
    return pages_of(request).render(
        request,
        "panel_draw.html",
        staff=staff,
        round=found,
        pool=shown[:_PAGE],
        pool_size=len(listed),
        next=shown[_PAGE - 1].expert if len(shown) > _PAGE else None,
        draws=draws,
        drawn=drawn,
        proof=drawn and {"commitment": commitment(drawn.seed), "seed": final_seed(drawn.seed, drawn.word)},
        called=called,
        groups=_groups(found),
        loads=_loads(found) if found.seats else [],
        people=await store.names_of(desk.pool, sorted(named)),
        names=names,
    )


def _groups(round_: Round) -> list[tuple[str, int]]:
    """Groups that each get a panel, and how many candidates it scores."""
    counts: dict[str, int] = {}
    for card in round_.standing:
        group = group_of(round_, card)
        counts[group] = counts.get(group, 0) + 1
    return sorted(counts.items(), key=lambda each: names.group_order(each[0]))


def _loads(round_: Round) -> list[tuple[str, int]]:
    """How many candidates each member scores, the most first."""
    counts: dict[str, int] = {}
    for card in round_.standing:
        for expert in round_.seats.get(card.candidate, frozenset()):
            counts[expert] = counts.get(expert, 0) + (not round_.is_tied(expert, card.candidate))
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


@get("/panels/{round_id:str}/conflicts", include_in_schema=False)
async def show_conflicts(
    request: AnyRequest, round_id: FromPath[str], after: FromQuery[int] = 0, expert: FromQuery[str] = ""
) -> Response[Any]:
    """Conflicts that facts tell and that experts declared; `?expert=` shows one person's."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_WATCHERS)
    found = await desk.round(round_id)
    told = await reading.conflicts_found(desk, found)
    declared = await reading_store.declared(desk.pool, found.id, paging.checked_after(after), _PAGE + 1)
    experts = sorted({each.expert for each in told} | {each["expert"] for each in declared})
    return pages_of(request).render(
        request,
        "panel_conflicts.html",
        staff=staff,
        round=found,
        found=await _found_rows(desk, staff, found, [each for each in told if expert in ("", each.expert)]),
        declared=[each for each in declared[:_PAGE] if expert in ("", each["expert"])],
        next=declared[_PAGE - 1]["number"] if len(declared) > _PAGE else None,
        lifted=sorted(await panel_store.lifted(desk.pool, found.id)),
        chosen=expert,
        experts=experts,
        people=await store.names_of(desk.pool, experts),
        names=names,
    )


async def _found_rows(desk: Desk, staff: Staff, round_: Round, told: Sequence[reading.Found]) -> list[Json]:
    """Each conflict with whether the one who looks may decide on it, and whether lifting it is proposed already."""
    known = await office_store.proposals(desk.pool, round_.id, 0, _PROPOSALS_READ_MAX)
    waiting = {(e.expert, e.candidate) for e in known if e.kind == Kind.LIFT_CONFLICT and e.confirmed_at is None}
    return [
        {
            "it": each,
            "may_decide": staff.has(Role.ADMINISTRATOR)
            and reading.may_decide(staff, round_, each.card.candidate, each.expert),
            "proposed": (each.expert, each.card.candidate) in waiting,
        }
        for each in told
    ]


ROUTES = [show_panel, show_conflicts]

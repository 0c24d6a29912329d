"""The office's pages on the day: the review meeting, which its chair conducts, and sheets on paper."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from services.scoring import names, sheet_form, store
from services.scoring.desk import Desk, desk_of, pages_of
from services.scoring.office import papers, reading, reading_store, scan_store
from services.scoring.pages_panels import people_and_cards
from services.scoring.records import SheetState
from services.scoring.rounds import Round
from services.scoring.views import Json
from services.shared.errors import CommonReason, Refusal
from services.shared.staff import Role, Staff

AnyRequest = Request[Any, Any, Any]
_CLERKS = (Role.ADMINISTRATOR, Role.REVIEWER)
_PAGE = 50
_PRINTED_MAX = 500


@get("/panels/{round_id:str}/meeting", include_in_schema=False)
async def show_meeting(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """For the office, and for the expert who is the chair."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, Role.ADMINISTRATOR, Role.AUDITOR, Role.EXPERT)
    found = await desk.round(round_id)
    turn = await reading.turn(desk, found)
    is_chair = turn["chair"] == staff.username
    if not is_chair and not staff.has(Role.ADMINISTRATOR, Role.AUDITOR):
        raise Refusal(CommonReason.FORBIDDEN, "The meeting's page is for its chair and the office.")
    under_way = turn["state"] == "under_way"
    rows = await _candidates(desk, found, turn) if under_way else []
    return pages_of(request).render(
        request,
        "meeting.html",
        staff=staff,
        round=found,
        turn=turn,
        under_way=under_way,
        conducts=under_way and (is_chair or staff.has(Role.ADMINISTRATOR)),
        rows=rows,
        coming=[row for row in rows if row["scoring"] and row["state"] == "waits"],
        scores_now=staff.username in turn["present"] and found.scores(staff.username, turn["candidate"]),
        present=await _present(desk, found, turn) if under_way else [],
        names=names,
        **await people_and_cards(desk, found, [*turn["present"], turn["chair"]] if turn["chair"] else []),
    )


async def _candidates(desk: Desk, round_: Round, turn: Json) -> list[Json]:
    """Every candidate with its place in the meeting: now, marked by all present, still to come; those before the rest
    that somebody present scores."""
    statuses = await store.sheet_statuses(desk.pool, round_.id)
    done = {(each.expert, each.candidate) for each in statuses if each.state is not SheetState.DRAFT}
    rows = []
    for card in round_.standing:
        scoring = [each for each in turn["present"] if round_.scores(each, card.candidate)]
        marked = sum((each, card.candidate) in done for each in scoring)
        is_now = card.candidate == turn["candidate"]
        state = "now" if is_now else "done" if scoring and marked == len(scoring) else "waits"
        rows.append({"card": card, "scoring": len(scoring), "marked": marked, "state": state})
    return sorted(rows, key=lambda row: not row["scoring"])


async def _present(desk: Desk, round_: Round, turn: Json) -> list[Json]:
    """Everybody present, and what they did with the open candidate: submitted, recused, saved, nothing, or no part."""
    statuses = await store.sheet_statuses(desk.pool, round_.id)
    state_of = {each.expert: each.state.value for each in statuses if each.candidate == turn["candidate"]}
    return [
        {
            "expert": each,
            "state": (state_of.get(each, "") if round_.scores(each, turn["candidate"]) else "apart")
            if turn["candidate"]
            else "",
        }
        for each in turn["present"]
    ]


@get("/panels/{round_id:str}/papers", include_in_schema=False)
async def list_papers(
    request: AnyRequest, round_id: FromPath[str], after: FromQuery[str] = "", expert: FromQuery[str] = ""
) -> Response[Any]:
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_CLERKS, Role.AUDITOR)
    found = await desk.round(round_id)
    rows = await reading.paper_rows(desk, found, after, _PAGE + 1, expert)
    return pages_of(request).render(
        request,
        "papers.html",
        staff=staff,
        round=found,
        rows=rows[:_PAGE],
        next=rows[_PAGE - 1].paper.code if len(rows) > _PAGE else None,
        chosen=expert,
        **await people_and_cards(desk, found, [each.paper.expert for each in rows]),
    )


@get("/panels/{round_id:str}/papers/print", include_in_schema=False)
async def print_papers(
    request: AnyRequest, round_id: FromPath[str], expert: FromQuery[str] = "", code: FromQuery[str] = ""
) -> Response[Any]:
    """Sheets to be printed, a page each: one by its code, or all of an expert."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_CLERKS)
    found = await desk.round(round_id)
    if code:
        wanted = [(await papers.show(desk, staff, found.id, code)).paper]
    else:
        wanted = await reading_store.papers(desk.pool, found.id, "", _PRINTED_MAX, expert)
    cards = {card.candidate: card for card in found.standing}
    sheets = sorted(
        ((cards[each.candidate], each) for each in wanted if each.candidate in cards),
        key=lambda each: (each[1].expert, each[0].number),
    )
    return pages_of(request).render(
        request,
        "papers_print.html",
        staff=staff,
        round=found,
        sheets=sheets,
        criteria=[sheet_form.criterion_view(found, each) for each in found.criteria],
        people=await store.names_of(desk.pool, sorted({each.expert for each in wanted})),
        names=names,
    )


@get("/panels/{round_id:str}/papers/sheets/{code:str}", include_in_schema=False)
async def show_paper(request: AnyRequest, round_id: FromPath[str], code: FromPath[str]) -> Response[Any]:
    """One clerk's entry; the other's values appear only where they differ, and only after an entry of one's own."""
    desk = desk_of(request)
    staff = await desk.door.visitor(request, *_CLERKS)
    found = await desk.round(round_id)
    read = await papers.show(desk, staff, found.id, code)
    return pages_of(request).render(
        request,
        "paper.html",
        staff=staff,
        round=found,
        read=read,
        card=found.card(read.paper.candidate),
        own=await reading.newest_entry_of(desk, read.paper.code, staff.username),
        may_enter=_may_enter(staff, read),
        scans=await scan_store.scans(desk.pool, read.paper.code),
        criteria=[sheet_form.criterion_view(found, each) for each in found.criteria],
        people=await store.names_of(desk.pool, [read.paper.expert]),
    )


def _may_enter(staff: Staff, read: papers.Reading) -> bool:
    return not read.counted and read.paper.expert != staff.username


ROUTES = [show_meeting, list_papers, print_papers, show_paper]

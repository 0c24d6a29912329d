"""Routes of the office: proposals of two people, snapshots, the meeting, paper sheets, progress and reminders."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from services.scoring import paging, sheets
from services.scoring import store as scoring_store
from services.scoring.desk import desk_of
from services.scoring.office import meeting, papers, proposals, store
from services.scoring.office.board import board
from services.scoring.office.proposals import Kind
from services.scoring.panels import letter
from services.scoring.panels import store as panel_store
from services.scoring.reasons import Reason
from services.shared.errors import Refusal
from services.shared.postgres import transaction
from services.shared.staff import Role

AnyRequest = Request[Any, Any, Any]
Json = dict[str, Any]
_WAY_LENGTH_MAX = 100


class ProposalBody(msgspec.Struct, forbid_unknown_fields=True):
    """An act of two people; a snapshot names its `day`, and no candidate or expert means all of them."""

    kind: Kind
    reason: str
    candidate: str = ""
    expert: str = ""
    day: str = ""


class MeetingBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who conducts the meeting and who of the panel is present, by user name."""

    chair: str
    present: list[str]


class PaperBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose sheet on which candidate is given out on paper."""

    candidate: str
    expert: str


class EntryBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a clerk reads off a paper sheet, and where its scan is kept."""

    marks: dict[str, Any]
    scan: str
    comments: dict[str, str] = {}
    comment: str = ""


class RemindersBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who is reminded: their own page shows it; and by which other means, like a telephone call."""

    experts: list[str]
    way: str


@post("/rounds/{round_id:str}/proposals", summary="Propose to reopen, to restore, or to lift a conflict")
async def propose(request: AnyRequest, round_id: FromPath[str], data: JSONBody[ProposalBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    made = await proposals.propose(
        desk, official, round_id, data.kind, data.candidate, data.expert, data.reason, data.day
    )
    return proposal_json(made)


@get("/rounds/{round_id:str}/proposals", summary="Acts of two people: proposed and confirmed")
async def list_proposals(
    request: AnyRequest,
    round_id: FromPath[str],
    after: FromQuery[int] = 0,
    limit: FromQuery[int] = paging.LIMIT_DEFAULT,
) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    known = await store.proposals(desk.pool, found.id, paging.checked_after(after), paging.checked_limit(limit) + 1)
    return paging.page(known, limit, lambda each: each.proposal, proposal_json)


@post("/rounds/{round_id:str}/proposals/{number:int}/confirmations", summary="Carry a proposal out, as second person")
async def confirm(request: AnyRequest, round_id: FromPath[str], number: FromPath[int]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    return proposal_json(await proposals.confirm(desk, official, round_id, number))


def proposal_json(each: store.Proposal) -> Json:
    """A proposal as the office sees it: never a mark."""
    state = "confirmed" if each.confirmed_at else "proposed"
    return {"state": state, **{name: getattr(each, name) for name in each.__dataclass_fields__}}


@get("/rounds/{round_id:str}/snapshots", summary="Days whose sheets can be restored")
async def list_snapshots(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR)
    found = await desk.round(round_id)
    return {"round": found.id, "snapshots": await store.snapshots(desk.pool, found.id)}


@post("/rounds/{round_id:str}/meeting", summary="Begin a review meeting", status_code=HTTP_201_CREATED)
async def start_meeting(request: AnyRequest, round_id: FromPath[str], data: JSONBody[MeetingBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    return _meeting_json(await meeting.start(desk, official, round_id, data.chair, data.present))


@get("/rounds/{round_id:str}/meeting", summary="Where the meeting stands; tablets ask every few seconds")
async def show_meeting(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    staff = await desk.door.require(request, Role.EXPERT, Role.ADMINISTRATOR, Role.AUDITOR)
    return _meeting_json(await meeting.standing(desk, staff, round_id))


@post(
    "/rounds/{round_id:str}/meeting/candidates/{candidate:str}",
    summary="Call the next candidate, as chair",
    status_code=HTTP_200_OK,
)
async def open_candidate(request: AnyRequest, round_id: FromPath[str], candidate: FromPath[str]) -> Json:
    desk = desk_of(request)
    staff = await desk.door.require(request, Role.EXPERT, Role.ADMINISTRATOR)
    return _meeting_json(await meeting.open_candidate(desk, staff, round_id, candidate))


@post("/rounds/{round_id:str}/meeting/end", summary="Close the meeting", status_code=HTTP_200_OK)
async def end_meeting(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    staff = await desk.door.require(request, Role.EXPERT, Role.ADMINISTRATOR)
    return _meeting_json(await meeting.end(desk, staff, round_id))


def _meeting_json(found: meeting.Standing) -> Json:
    held = found.meeting
    done = bool(held.candidate) and not found.waits_for
    return {
        "meeting": held.meeting,
        "state": "ended" if held.ended else "under_way",
        "chair": held.chair,
        "present": held.present,
        "step": held.step,
        "candidate": held.candidate,
        "candidate_state": ("closed" if done else "open") if held.candidate else "none",
        "waits_for": found.waits_for,
    }


@post("/rounds/{round_id:str}/papers", summary="Give a sheet out on paper, under a code")
async def issue_paper(request: AnyRequest, round_id: FromPath[str], data: JSONBody[PaperBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    issued = await papers.issue(desk, official, round_id, data.candidate, data.expert)
    return {"code": issued.code, "candidate": issued.candidate, "expert": issued.expert, "issued_at": issued.issued_at}


@post("/rounds/{round_id:str}/papers/{code:str}/entries", summary="Enter a paper sheet, as one of two clerks")
async def enter_paper(
    request: AnyRequest, round_id: FromPath[str], code: FromPath[str], data: JSONBody[EntryBody]
) -> Json:
    desk = desk_of(request)
    clerk = await desk.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    written = sheets.Written(data.marks, data.comment, data.comments)
    return _reading_json(await papers.enter(desk, clerk, round_id, code, written, data.scan))


@get("/rounds/{round_id:str}/papers/{code:str}", summary="Where a paper sheet stands, and what differs")
async def show_paper(request: AnyRequest, round_id: FromPath[str], code: FromPath[str]) -> Json:
    desk = desk_of(request)
    clerk = await desk.door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    return _reading_json(await papers.show(desk, clerk, round_id, code))


def _reading_json(found: papers.Reading) -> Json:
    state = "counted" if found.counted else "differs" if found.differences else "waits"
    paper = found.paper
    named = {"code": paper.code, "candidate": paper.candidate, "expert": paper.expert}
    return {**named, "state": state, "clerks": found.clerks, "differences": found.differences}


@get("/rounds/{round_id:str}/progress", summary="Who is behind on which panel; never a mark")
async def show_progress(request: AnyRequest, round_id: FromPath[str]) -> Json:
    desk = desk_of(request)
    await desk.door.require(request, Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)
    found = await desk.round(round_id)
    statuses = await scoring_store.sheet_statuses(desk.pool, found.id)
    experts = list(found.panel({each.expert for each in statuses}))
    panels = board(
        found,
        statuses,
        await scoring_store.names_of(desk.pool, experts),
        await panel_store.signatures(desk.pool, found.id, letter.VERSION),
        await store.last_saved(desk.pool, found.id),
        await store.reminded(desk.pool, found.id),
    )
    return {"round": found.id, "window": found.window_state(desk.clock.now()), "panels": panels}


@post("/rounds/{round_id:str}/reminders", summary="Remind experts on their page; no message is sent")
async def note_reminders(request: AnyRequest, round_id: FromPath[str], data: JSONBody[RemindersBody]) -> Json:
    desk = desk_of(request)
    official = await desk.door.require(request, Role.ADMINISTRATOR)
    found = await desk.round(round_id)
    way = sheets.clean_text(data.way, _WAY_LENGTH_MAX, "way").strip()
    strangers = [each for each in data.experts if not found.is_panellist(each)]
    if strangers or not data.experts or not way:
        raise Refusal(Reason.NOT_ON_PANEL, "Name panel members by user name, and the way they were reminded.")
    async with transaction(desk.pool) as connection:
        experts = sorted(set(data.experts))
        await store.put_reminders(connection, found.id, experts, way, official.username, desk.clock.now())
    return {"round": found.id, "reminded": experts}


ROUTES = [
    propose, list_proposals, confirm, list_snapshots, start_meeting, show_meeting, open_candidate, end_meeting,
    issue_paper, enter_paper, show_paper, show_progress, note_reminders,
]  # fmt: skip

"""The administrators' pages of a round: held ballots, stations, votes granted anew. Auditors read them.

They call what the API calls and are as blind: no candidate, no choice, no count of either. Plain forms; what is refused
comes back with the reason and what was typed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER

from services.shared.errors import Refusal, SignInFirst
from services.shared.pages import Pages
from services.shared.staff import Role, Staff
from services.shared.vocabulary import Translate
from services.voting import holds, page_views, tally, tally_store
from services.voting.api_citizens import find
from services.voting.context import Context, ContextDependency
from services.voting.holds import BallotQuery, Decision, DecisionForm, HoldForm, HoldReason, parse_ballot_id
from services.voting.reasons import Reason
from services.voting.receipts import parse_receipt
from services.voting.reissues import reissues
from services.voting.reissues.reissues import ReissueForm
from services.voting.rounds import FrozenRound
from services.voting.stations import stations
from services.voting.stations.stations import StationForm

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]
Work = Callable[[Staff], Awaitable[None]]
# Operators look after stations; held ballots are not their business.
_READERS = {
    "holds": (Role.ADMINISTRATOR, Role.AUDITOR),
    "stations": (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR),
    "reissues": (Role.ADMINISTRATOR, Role.AUDITOR),
}


class HoldFields(msgspec.Struct):
    """`ballots` are receipts or ballot ids in any layout; times are of the round's own zone."""

    reason: str = ""
    evidence: str = ""
    ballots: str = ""
    since: str = ""
    until: str = ""
    route: str = ""
    same_device_as: str = ""
    same_address_as: str = ""


class DecisionFields(msgspec.Struct):
    decision: str = ""
    reason: str = ""


class StationFields(msgspec.Struct):
    name: str = ""
    unit: str = ""


class ReissueFields(msgspec.Struct):
    """`ballot` is a receipt or a ballot id."""

    ballot: str = ""
    reason: str = ""


class Desk:
    """One request of somebody at one of these pages: who, which round, which page."""

    def __init__(self, context: Context, pages: Pages, request: AnyRequest, round_id: str, page: str) -> None:
        self.context, self.pages, self.request, self.page = context, pages, request, page
        self.frozen = find(context, round_id)
        self.path = f"/rounds/{quote(self.frozen.id)}/staff/{page}"

    async def show(self, typed: Any = None, refusal: Refusal | None = None) -> Response[Any]:
        """The page, with what was refused where something was."""
        staff = await self.context.door.visitor(self.request, *_READERS[self.page])
        now, translate = self.context.clock.now(), self.pages.translate(self.request)
        answer = self.pages.render(
            self.request, f"staff_{self.page}.html", status=refusal.reason.status if refusal else 200,
            round=page_views.round_summary(self.frozen, now, translate), here=self.page, staff=staff,
            tabs=[page for page, roles in _READERS.items() if staff.has(*roles)],
            may_act=staff.has(Role.ADMINISTRATOR) and not self._is_closed(), closed=self._is_closed(),
            typed=typed, refusal=refusal, done=self.request.query_params.get("done", ""),
            **await _VIEWS[self.page](self.context, self.frozen, translate),
        )  # fmt: skip
        answer.headers["cache-control"] = "no-store"
        return answer

    def _is_closed(self) -> bool:
        """Nothing can be done any more: for ballots after a meeting confirmed the list, for voters after the seal."""
        ended = self.frozen.message.list_confirmed_at if self.page == "holds" else self.frozen.sealed_at
        return ended is not None

    async def act(self, work: Work, done: str, *, typed: Any = None, two_people: bool = False) -> Response[Any]:
        """Do `work(staff)` and show the page anew, saying what was `done`; an act of two people needs fresh records."""
        try:
            staff = await self.context.door.visitor(self.request, Role.ADMINISTRATOR)
        except SignInFirst:
            raise SignInFirst(self.path) from None
        try:
            if two_people:
                await self.context.door.require_fresh()
            await work(staff)
        except Refusal as refusal:
            return await self.show(typed, refusal)
        return Redirect(f"{self.path}?done={done}", status_code=HTTP_303_SEE_OTHER)


# ---- what the pages show ----


async def _holds_view(context: Context, frozen: FrozenRound, translate: Translate) -> dict[str, Any]:
    found = [(each, holds.due(frozen, each)) for each in await holds.list_holds(context.pool, frozen)]
    reasons = {reason.value: translate(page_views.HOLD_REASONS[reason]) for reason in HoldReason}
    seals = await tally_store.lines(context.pool, frozen.number) if frozen.sealed_at else []
    since = await tally_store.since(context.pool, frozen.number)
    return {
        "holds": found,
        "reasons": reasons,
        "seals": seals,
        "since": since,
        "confirmed_at": frozen.message.list_confirmed_at,
    }


async def _stations_view(context: Context, frozen: FrozenRound, _: Translate) -> dict[str, Any]:
    found = await stations.report(context.pool, frozen)
    return {
        "stations": found,
        "names": {each.station: each.name for each in found},
        "hours": await stations.hours(context.pool, frozen),
    }


async def _reissues_view(context: Context, frozen: FrozenRound, _: Translate) -> dict[str, Any]:
    return {"reissues": await reissues.listed(context.pool, frozen)}


_VIEWS = {"holds": _holds_view, "stations": _stations_view, "reissues": _reissues_view}


# ---- held ballots ----


def _hold_form(frozen: FrozenRound, typed: HoldFields) -> HoldForm:
    """Raises Refusal bad_hold for a time that is none."""
    query = BallotQuery(
        _moment(frozen, typed.since), _moment(frozen, typed.until), typed.route, typed.same_device_as.strip(),
        typed.same_address_as.strip(),
    )  # fmt: skip
    for receipt in (query.same_device_as, query.same_address_as):
        if receipt and parse_receipt(receipt) is None:
            raise Refusal(Reason.BAD_HOLD, f"{receipt[:40]} is no receipt; copy its twenty letters and digits.")
    # Without any condition a query would hold every ballot of the round.
    asked = query if query != BallotQuery() else None
    return HoldForm(typed.reason, typed.evidence, typed.ballots.replace(",", " ").split(), asked)


def _moment(frozen: FrozenRound, text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=frozen.zone) if text.strip() else None
    except ValueError:
        raise Refusal(Reason.BAD_HOLD, "A time looks like 2020-10-22 09:00.") from None


@get("/rounds/{round_id:str}/staff")
async def show_office(context: ContextDependency, round_id: FromPath[str]) -> Redirect:
    return Redirect(f"/rounds/{quote(find(context, round_id).id)}/staff/holds", status_code=HTTP_303_SEE_OTHER)


@get("/rounds/{round_id:str}/staff/holds")
async def show_holds(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    return await Desk(context, pages, request, round_id, "holds").show(HoldFields())


@post("/rounds/{round_id:str}/staff/holds")
async def hold_ballots(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    data: URLEncodedBody[HoldFields],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "holds")

    async def work(staff: Staff) -> None:
        await holds.propose(context.pool, desk.frozen, staff, _hold_form(desk.frozen, data))

    return await desk.act(work, "held", typed=data)


@post("/rounds/{round_id:str}/staff/holds/{hold:uuid}/decisions")
async def decide_hold(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    hold: FromPath[UUID],
    data: URLEncodedBody[DecisionFields],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "holds")

    async def work(staff: Staff) -> None:
        if data.decision not in list(Decision):
            raise Refusal(Reason.BAD_HOLD, "Choose between excluding and restoring.")
        form = DecisionForm(Decision(data.decision), data.reason)
        await holds.decide(context.pool, desk.frozen, staff, hold, form)

    return await desk.act(work, "decided", typed=HoldFields(), two_people=True)


@post("/rounds/{round_id:str}/staff/holds/{hold:uuid}/confirmations")
async def confirm_hold(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    hold: FromPath[UUID],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "holds")

    async def work(staff: Staff) -> None:
        await holds.confirm(context.pool, desk.frozen, staff, hold)

    return await desk.act(work, "confirmed", typed=HoldFields(), two_people=True)


@post("/rounds/{round_id:str}/staff/holds/seals")
async def seal_again(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    """The next tally, from what was decided since the one before."""
    desk = Desk(context, pages, request, round_id, "holds")

    async def work(staff: Staff) -> None:
        now = context.clock.now()
        await tally.seal_round(context.pool, desk.frozen, context.tally_key, now, staff.username, again=True)
        await context.rounds.refresh()

    return await desk.act(work, "sealed", typed=HoldFields())


# ---- stations ----


@get("/rounds/{round_id:str}/staff/stations")
async def show_office_stations(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    return await Desk(context, pages, request, round_id, "stations").show(StationFields())


@post("/rounds/{round_id:str}/staff/stations")
async def register_station(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    data: URLEncodedBody[StationFields],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "stations")

    async def work(staff: Staff) -> None:
        await stations.register(context.pool, desk.frozen, staff, StationForm(data.name, data.unit))

    return await desk.act(work, "registered", typed=data)


@post("/rounds/{round_id:str}/staff/stations/{station:int}/closings")
async def close_station(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    station: FromPath[int],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "stations")

    async def work(staff: Staff) -> None:
        await stations.close(context.pool, desk.frozen, staff, station)

    return await desk.act(work, "closed", typed=StationFields())


# ---- votes granted anew ----


@get("/rounds/{round_id:str}/staff/reissues")
async def show_reissues(
    context: ContextDependency, pages: PagesDependency, request: AnyRequest, round_id: FromPath[str]
) -> Response[Any]:
    return await Desk(context, pages, request, round_id, "reissues").show(ReissueFields())


@post("/rounds/{round_id:str}/staff/reissues")
async def propose_reissue(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    data: URLEncodedBody[ReissueFields],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "reissues")

    async def work(staff: Staff) -> None:
        named = data.ballot.strip()
        by_id = parse_ballot_id(named) is not None
        form = ReissueForm(data.reason, receipt="" if by_id else named, ballot_id=named if by_id else "")
        await reissues.propose(context.pool, desk.frozen, staff, form)

    return await desk.act(work, "proposed", typed=data, two_people=True)


@post("/rounds/{round_id:str}/staff/reissues/{reissue:uuid}/confirmations")
async def confirm_reissue(
    context: ContextDependency,
    pages: PagesDependency,
    request: AnyRequest,
    round_id: FromPath[str],
    reissue: FromPath[UUID],
) -> Response[Any]:
    desk = Desk(context, pages, request, round_id, "reissues")

    async def work(staff: Staff) -> None:
        await reissues.confirm(context.pool, desk.frozen, staff, reissue)

    return await desk.act(work, "granted", typed=ReissueFields(), two_people=True)


office_router = Router(
    "/",
    route_handlers=[
        show_office, show_holds, hold_ballots, decide_hold, confirm_hold, seal_again, show_office_stations,
        register_station, close_station, show_reissues, propose_reissue, confirm_reissue,
    ],
    include_in_schema=False,
)  # fmt: skip

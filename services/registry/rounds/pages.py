"""Pages of administrators: everything that goes on with what waits for somebody, and one round on one page.

What voting and scoring know is fetched by `static/admin/round.js` from their own interfaces; the registry's facts stand
in the page itself, so that it says something without script too. Acts are forms of the existing interfaces.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from services.registry.calls import store as calls
from services.registry.calls import views as call_views
from services.registry.documents.listing import Listing
from services.registry.lists import store as lists
from services.registry.office.entry import asked, export, is_export, visitor
from services.registry.parts import Parts, parts
from services.registry.rounds import overview, overview_store, store, withdrawals
from services.registry.rounds.overview import Late
from services.registry.rounds.overview_store import Waiting
from services.registry.rounds.steps import current
from services.registry.rounds.views import Round
from services.shared.clock import day_in
from services.shared.messages import CandidateCard
from services.shared.pages import AnyRequest
from services.shared.ranking.rules import parse_rules
from services.shared.staff import Role
from services.shared.vocabulary import CATEGORIES, LEVELS

WATCHERS = (Role.ADMINISTRATOR, Role.AUDITOR, Role.OPERATOR)
PAGE_SIZE = 50
_CALLS_MAX = 1000
_FOLLOWED_MAX = 6
PHASES = {
    "draft": "草稿", "announced": "待申报", "application": "申报中", "recommendation": "推荐中", "review": "初审中",
    "scheduled": "未开始", "open": "投票中", "closed": "投票已截止", "published": "已公布", "withdrawn": "已撤回",
}  # fmt: skip


class Line(msgspec.Struct, frozen=True):
    """A call or a round in the list of everything; `opens` and `closes` are of the window it stands in or before."""

    kind: str
    id: str
    title: str
    phase: str
    rehearsal: bool
    removed: bool
    opens: Any
    closes: Any
    candidates: int | None
    list_version: int


@get("/admin")
async def home_page(request: AnyRequest) -> Response[Any]:
    """Every call and round by what the address asks for, what is late, and what waits for a second signature."""
    own = parts(request)
    staff = await visitor(request, *WATCHERS)
    now = own.clock.now()
    lines = await _lines(own, now, drafts=staff.has(*call_views.OFFICE))
    wanted = {name: asked(request, name) for name in ("q", "phase", "rehearsals")}
    found = [line for line in lines if _matches(line, **wanted)]
    waiting = await overview_store.waiting(own.pool)
    busy = [line.id for line in lines if line.kind == "round" and not line.removed and line.phase in ("open", "closed")]
    return own.pages.render(
        request, "admin_home.html", staff=staff, wanted=wanted, phases=PHASES, **_cut(request, found, "lines"),
        mine=[each for each in waiting if each.by != staff.staff],
        others=[each for each in waiting if each.by == staff.staff],
        late=await overview.late(own.pool, now), where=waiting_place, late_place=late_place,
        busy=busy[:_FOLLOWED_MAX] if staff.has(Role.ADMINISTRATOR) else [], may_act=staff.has(Role.ADMINISTRATOR),
        may_read_log=staff.has(Role.ADMINISTRATOR, Role.AUDITOR),
    )  # fmt: skip


async def _lines(own: Parts, now: Any, *, drafts: bool) -> list[Line]:
    """Calls that are no rounds yet, then rounds, each the newest first."""
    known = await calls.page(own.pool, "", _CALLS_MAX, drafts=drafts)
    known.sort(key=lambda each: each.created_at, reverse=True)
    found = [
        Line(
            "call", each.call, each.title, call_views.phase(each, now), each.rehearsal, False,
            each.application_opens_at, each.application_closes_at, None, 0,
        )
        for each in known
        if each.state != "frozen"
    ]  # fmt: skip
    return found + [
        Line(
            "round", each.round, each.title, each.phase(now).value, each.rehearsal, each.removed_at is not None,
            each.voting_opens_at, each.voting_ends_at, each.candidates, each.list_version,
        )
        for each in await store.all_rounds(own.pool)
    ]  # fmt: skip


def _matches(line: Line, q: str, phase: str, rehearsals: str) -> bool:
    """What was taken out of view comes only when it is asked for."""
    if line.removed != (rehearsals == "removed"):
        return False
    if rehearsals in ("only", "none") and line.rehearsal != (rehearsals == "only"):
        return False
    words = q.casefold()
    return (not phase or line.phase == phase) and (words in line.title.casefold() or words in line.id)


def _cut(request: AnyRequest, found: Sequence[Any], name: str) -> dict[str, Any]:
    """One page of a list, under `name`, by its number in the address."""
    text = asked(request, "page")
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(max(1, int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1), pages)
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return {name: shown, "count": len(found), "page": page, "pages": pages}


def waiting_place(each: Waiting) -> str:
    """Where an act is confirmed."""
    if each.kind == "call_change":
        return f"/admin/calls/{each.round}#changes"
    if each.kind == "withdrawal":
        return f"/admin/rounds/{each.round}/candidates#waiting"
    return f"/admin/rounds/{each.round}/lists#proposals"


def late_place(each: Late) -> str:
    """Where somebody does what is late."""
    if each.kind == "objection":
        return f"/office/objections?round={each.round}"
    return f"/office/reviews?call={each.round}" if each.kind == "review" else f"/admin/calls/{each.round}"


@get("/admin/rounds/{round_id:str}")
async def round_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """One round: steps, facts and second signatures from here; turnout, holds and progress from the other services."""
    own = parts(request)
    staff = await visitor(request, *WATCHERS)
    round_, now = await store.require_round(own.pool, round_id), own.clock.now()
    rules = parse_rules(round_.rules.encode())
    steps = await overview.of_round(own.pool, round_, now)
    return own.pages.render(
        request, "admin_round.html", staff=staff, round=round_, phase=round_.phase(now).value, now=now,
        steps=steps, step=current(steps), may_act=staff.has(Role.ADMINISTRATOR), rules=rules,
        decides=staff.has(Role.ADMINISTRATOR, Role.AUDITOR),
        waiting=await overview_store.waiting(own.pool, round_.round), where=waiting_place,
        extended=round_.extensions,
        versions=await lists.versions(own.pool, round_.round),
    )  # fmt: skip


@get("/admin/rounds/{round_id:str}/candidates")
async def candidates_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """Numbers and how they were drawn, posters, withdrawals by two people."""
    own = parts(request)
    staff = await visitor(request, Role.ADMINISTRATOR, Role.AUDITOR, Role.REVIEWER)
    round_, now = await store.require_round(own.pool, round_id), own.clock.now()
    q, level = asked(request, "q"), asked(request, "level")
    found = [
        card
        for card in round_.candidates
        if (not level or card.level == level) and (not q or q == str(card.number) or q in f"{card.title} {card.unit}")
    ]
    if is_export(request):
        return await export(request, _listing(round_, found), round_.timezone)
    waiting = [each for each in await withdrawals.of_round(own.pool, round_id) if each.withdrawn_at is None]
    return own.pages.render(
        request, "admin_candidates.html", staff=staff, round=round_, phase=round_.phase(now).value,
        **_cut(request, found, "cards"), wanted={"q": q, "level": level},
        may_act=staff.has(Role.ADMINISTRATOR) and not round_.list_version,
        waiting=waiting, titles={card.candidate: card for card in round_.candidates},
        people=await overview_store.names(own.pool, [each.proposed_by for each in waiting]),
        levels=LEVELS, categories=CATEGORIES, posters=_poster_parts(len(round_.candidates)),
    )  # fmt: skip


def _listing(round_: Round, cards: Sequence[CandidateCard]) -> Listing:
    """The candidates that are shown, as a list to work on with elsewhere; in Chinese, as the office's papers are."""
    return Listing(
        f"{round_.title}候选项目",
        ("编号", "项目代码", "项目名称", "申报单位", "推荐渠道", "级别", "类别", "退出"),
        [
            (
                card.number, card.candidate, card.title, card.unit, card.channel_title or card.channel,
                LEVELS.get(card.level, card.level), CATEGORIES.get(card.category, card.category),
                day_in(card.withdrawn_at, round_.timezone) if card.withdrawn_at else None,
            )
            for card in cards
        ],
    )  # fmt: skip


def _poster_parts(candidates: int) -> list[int]:
    """First numbers of the archives that all posters come in."""
    return list(range(1, candidates + 1, 200))


ROUTES = [home_page, round_page, candidates_page]

"""The office's page of a round's lists: proposals and second signatures, versions, papers, changes with a preview.

Acts are forms of `lists/api.py`; who moves by a change is asked of its preview (`static/admin/lists.js`).
"""

from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from services.registry import attachments
from services.registry.attachments import Purpose
from services.registry.lists import proposal_store, proposals, store, versions, views
from services.registry.lists.changes import REASON_NAMES, REASONS_OF, Change, ChangeKind
from services.registry.lists.pages import MOVES
from services.registry.lists.proposal_store import Act, Proposal, State
from services.registry.lists.store import Notice
from services.registry.objections import store as objections
from services.registry.office.entry import visitor
from services.registry.parts import Parts, parts
from services.registry.rounds import overview_store
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role
from services.shared.vocabulary import LEVELS

READERS = (Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)
PROPOSALS_MAX = 200
PURPOSES = {Purpose.STAMPED_LIST: "盖章的名单（公开）", Purpose.MINUTES: "会议纪要", Purpose.EVIDENCE: "依据材料"}
KIND_NAMES = {
    ChangeKind.REMOVE: "移出名单", ChangeKind.CHANGE_LEVEL: "改变级别", ChangeKind.PROMOTE_RESERVE: "候补递补",
    ChangeKind.REINSTATE: "恢复",
}  # fmt: skip
STATE_NAMES = {
    State.PROPOSED: ("等第二人确认", "wait"),
    State.SCHEDULED: ("已确认，定时公布", "info"),
    State.DONE: ("已生效", "done"),
    State.WITHDRAWN: ("已收回", "stop"),
    State.LAPSED: ("已失效", "stop"),
}


@get("/admin/rounds/{round_id:str}/lists")
async def lists_page(request: AnyRequest, round_id: FromPath[str]) -> Response[Any]:
    """Everything about the lists of a round, the open acts first."""
    own = parts(request)
    staff = await visitor(request, *READERS)
    round_, now = await rounds.require_round(own.pool, round_id), own.clock.now()
    notice = await store.notice(own.pool, round_.round, None)
    found = await proposal_store.page(own.pool, round_.round, 0, PROPOSALS_MAX)
    signers = {each.proposed_by for each in found} | {each.confirmed_by for each in found if each.confirmed_by}
    return own.pages.render(
        request, "admin_lists.html", staff=staff, round=round_, notice=notice, now=now,
        versions=await store.versions(own.pool, round_.round), today=day_in(now, round_.timezone),
        proposals=[views.proposal_json(each, staff) for each in reversed(found) if _is_open(each)],
        ended=[each for each in reversed(found) if not _is_open(each)],
        people=await overview_store.names(own.pool, signers), cards=views.cards_of(round_),
        effects=await _effects(own, round_, found),
        unsettled=await objections.unsettled(own.pool, round_.round), files=await _files(own, notice),
        may_act=staff.has(Role.ADMINISTRATOR), may_attach=staff.has(Role.ADMINISTRATOR, Role.REVIEWER),
        states=STATE_NAMES, purposes=PURPOSES, kinds=KIND_NAMES, reasons=REASON_NAMES, levels=LEVELS, moves=MOVES,
        reasons_of={kind.value: sorted(reason.value for reason in REASONS_OF[kind]) for kind in ChangeKind},
    )  # fmt: skip


async def _effects(own: Parts, round_: Round, found: list[Proposal]) -> dict[int, list[dict[str, Any]]]:
    """Proposal → who would move by it, for open changes of the newest list: what a second signature is put under."""
    effects: dict[int, list[dict[str, Any]]] = {}
    for each in found:
        if not (_is_open(each) and each.act is Act.CHANGE and each.list_version == round_.list_version > 0):
            continue
        try:
            wanted = msgspec.convert(each.content["changes"], list[Change])
            seen = await versions.outlook(own.pool, round_, wanted)
        except Refusal:
            continue  # something else was changed first, and confirming it will say so
        effects[each.proposal] = [views.difference_json(one, views.cards_of(round_)) for one in seen.differences]
    return effects


def _is_open(proposal: Proposal) -> bool:
    return proposal.state in (State.PROPOSED, State.SCHEDULED)


async def _files(own: Parts, notice: Notice | None) -> list[Any]:
    """Files of the newest list; the minutes among them can be named by its confirmation."""
    if notice is None:
        return []
    return await attachments.of(own.pool, proposals.KIND, proposals.list_object(notice.round, notice.version))


ROUTES = [lists_page]

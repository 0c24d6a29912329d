"""Public notices (公示): the list of them, and one with its candidates and objection window."""

from itertools import groupby

from litestar import Response, get
from litestar.params import FromPath

from services.registry.lists import store, versions, views
from services.registry.lists.changes import Move
from services.registry.parts import parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import store as rounds
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.vocabulary import CATEGORIES, LEVELS

MOVES = {
    Move.CAME_IN: ("进入名单", "done"), Move.LEFT: ("退出名单", "stop"), Move.PROMOTED: ("递补入选", "done"),
    Move.DEMOTED: ("转为候补", "wait"), Move.MOVED: ("调整级别", "info"), Move.PLACE: ("名次或得分变动", "info"),
}  # fmt: skip


@get("/notices")
async def notices_page(request: AnyRequest) -> Response[str]:
    """The newest notice of every round that has one."""
    own = parts(request)
    return own.pages.render(request, "notices.html", notices=await store.all_notices(own.pool), now=own.clock.now())


@get("/notices/{round_id:str}")
async def notice_page(request: AnyRequest, round_id: FromPath[str]) -> Response[str]:
    """A round's notice; `?version=` shows an older one."""
    own = parts(request)
    round_ = await rounds.require_round(own.pool, round_id)
    wanted = request.query_params.get("version", "")
    notice = await store.notice(own.pool, round_id, int(wanted) if _is_version(wanted) else None)
    if notice is None:
        raise Refusal(RegistryReason.UNKNOWN_NOTICE, "Nothing has been published for this round yet.")
    groups = [(name, list(entries)) for name, entries in groupby(notice.entries, key=lambda entry: entry.group)]
    groups.sort(key=lambda group: _rank_of_level(group[0]))
    now, known, cards = own.clock.now(), await store.versions(own.pool, round_id), views.cards_of(round_)
    differences = await versions.public_difference(own.pool, round_, notice.version)
    return own.pages.render(
        request, "notice.html", round=round_, notice=notice, groups=groups, now=now, versions=known,
        newest=round_.list_version, contact=own.settings.hotline, levels=LEVELS, categories=CATEGORIES, moves=MOVES,
        differences=[views.difference_json(each, cards) for each in differences],
        may_object=any(each.objections_open_at <= now < each.objections_close_at for each in known),
    )  # fmt: skip


def _rank_of_level(group: str) -> int:
    """Major projects stand first on paper, whatever the alphabet says; other groups keep their order."""
    levels = list(LEVELS)
    value = group.partition("=")[2].partition(";")[0]
    return levels.index(value) if value in levels else len(levels)


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8


ROUTES = [notices_page, notice_page]

"""Pages of calls: begin one, its state and acts, the editor of its files, its versions and their differences.

Acts are forms of `calls/api.py`; the editor (`static/admin/editor.js`) asks `preview_api.py` before it stores anything.
"""

from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.params import FromPath

from services.registry.applications.stages import STAGE_NAMES
from services.registry.calls import calls, form_fields, starting, store, views
from services.registry.calls import recommendation_store as recommendations
from services.registry.calls.differences import differences
from services.registry.calls.drafts import COMPANIONS, FILES, RULES, SECRET, problems_of_announcing, read_call
from services.registry.calls.editing import edited, fields_of
from services.registry.calls.store import Call
from services.registry.office.entry import asked, visitor
from services.registry.parts import Parts, parts
from services.registry.reasons import RegistryReason
from services.registry.rehearsals import store as rehearsals
from services.registry.rounds import overview, overview_store
from services.registry.rounds import store as rounds
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

_BASES_MAX = 200


@get("/admin/calls/new")
async def new_call_page(request: AnyRequest) -> Response[Any]:
    """Begin a call with the files of an earlier call or round (`?from=`), or with the city's defaults."""
    own = parts(request)
    staff = await visitor(request, Role.ADMINISTRATOR)
    base = asked(request, "from")
    bases = [(each.call, each.title) for each in await store.page(own.pool, "", _BASES_MAX, drafts=True)]
    known = {call for call, _ in bases}
    bases += [
        (each.round, each.title)
        for each in (await rounds.all_rounds(own.pool))[:_BASES_MAX]
        if each.round not in known and not each.rehearsal
    ]
    return own.pages.render(
        request, "admin_call_new.html", staff=staff, base=base, bases=bases, files=await _base_files(own, base)
    )


async def _base_files(own: Parts, base: str) -> dict[str, str]:
    """What a new call begins with: never the secret of another one, nor the commitment to it."""
    call = await store.load(own.pool, base) if base else None
    if call is not None:
        found = await store.files(own.pool, call)
    else:
        found = await rehearsals.files_of_round(own.pool, base) if base else {}
    files = {name: text for name, text in found.items() if name in FILES and name != SECRET} or dict(starting.FILES)
    if fields_of(files[RULES]).get("combination", {}).get("lots_commitment"):
        files[RULES] = edited(files[RULES], {"combination": {"lots_commitment": None}})
    return files


@get("/admin/calls/{call_id:str}")
async def call_page(request: AnyRequest, call_id: FromPath[str]) -> Response[Any]:
    """A call: where it stands, what waits, its versions, and the acts that are possible now."""
    own = parts(request)
    staff = await visitor(request, *views.OFFICE, Role.OPERATOR)
    call, now = await _call(own, call_id, staff), own.clock.now()
    files = await store.files(own.pool, call)
    draft = calls.checked(files)
    facts = views.whole(
        call, draft, await store.versions(own.pool, call.call), await store.changes(own.pool, call.call), staff, now
    )
    exemptions = await recommendations.exemptions(own.pool, call.call)
    signers = {each["proposed_by"] for each in facts.get("changes", [])} | {each.proposed_by for each in exemptions}
    announcing = problems_of_announcing(draft, await store.channels(own.pool), now) if call.state == "draft" else []
    return own.pages.render(
        request, "admin_call.html", staff=staff, call=call, facts=facts, draft=draft, announcing=announcing,
        steps=await overview.of_call(own.pool, call, facts["windows"], now), stages=await _stages(own, call),
        unsent=await overview_store.unsent_channels(own.pool, call.call),
        exemptions=[views.exemption_facts(call, each, staff, now) for each in exemptions],
        people=await overview_store.names(own.pool, signers), may_act=staff.has(Role.ADMINISTRATOR),
        changed=_changed(files, facts.get("changes", [])),
    )  # fmt: skip


async def _stages(own: Parts, call: Call) -> list[tuple[str, int]]:
    found = await overview_store.stages(own.pool, call.call)
    return [(name, found[stage]) for stage, name in STAGE_NAMES.items() if stage in found]


def _changed(files: dict[str, str], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Change → what it would change, for those that are still open; a secret file's content stays unread."""
    return {
        each["change"]: differences({each["name"]: files.get(each["name"], "")}, {each["name"]: each["content"]})
        for each in changes
        if each["state"] == "open" and each["name"] != SECRET
    }


@get("/admin/calls/{call_id:str}/edit")
async def edit_page(request: AnyRequest, call_id: FromPath[str]) -> Response[Any]:
    """The editor: `?file=` which file, `?view=form` or `text`; both give the same text and the same problems."""
    own = parts(request)
    staff = await visitor(request, Role.ADMINISTRATOR)
    call = await _call(own, call_id, staff)
    calls.require_state(call, "draft", "announced")
    name = asked(request, "file") or RULES
    if name not in FILES:
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"There is no such file of a call; use any of: {', '.join(FILES)}.")
    files = await store.files(own.pool, call)
    text = "" if name == SECRET else files.get(name, "")
    as_form = name in form_fields.FORMS and asked(request, "view") != "text"
    zone, fields = ZoneInfo(call.timezone), fields_of(text)
    return own.pages.render(
        request, "admin_call_edit.html", staff=staff, call=call, name=name, text=text, as_form=as_form,
        names=(RULES, *COMPANIONS), has_form=name in form_fields.FORMS, sections=form_fields.FORMS.get(name, ()),
        value=lambda path: form_fields.value_at(fields, path, zone),
        rows=lambda key: form_fields.rows_at(fields, key),
        warnings=_warnings(files),
    )  # fmt: skip


def _warnings(files: dict[str, str]) -> list[str]:
    draft, _ = read_call(files)
    return draft.warnings if draft else []


@get("/admin/calls/{call_id:str}/versions/{version:int}")
async def version_page(request: AnyRequest, call_id: FromPath[str], version: FromPath[int]) -> Response[Any]:
    """One announced version as it stood, and what changed since the one named by `?against=`, else the one before."""
    own = parts(request)
    staff = await visitor(request, *views.OFFICE, Role.OPERATOR)
    call = await _call(own, call_id, staff)
    versions = await store.versions(own.pool, call.call)
    shown = next((each for each in versions if each["version"] == version), None)
    if shown is None:
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"{call.call} was never announced as version {version}.")
    against = _against(asked(request, "against"), [each["version"] for each in versions], version)
    files = await store.version_files(own.pool, call.call, version) or {}
    before = (await store.version_files(own.pool, call.call, against) or {}) if against else {}
    return own.pages.render(
        request, "admin_call_version.html", staff=staff, call=call, versions=versions, shown=shown, against=against,
        files=files, changed=differences(before, files) if against else {},
    )  # fmt: skip


def _against(text: str, known: list[int], version: int) -> int | None:
    """The version to compare with; None for the first one."""
    if text.isascii() and text.isdigit() and len(text) < 8 and int(text) in known and int(text) != version:
        return int(text)
    return max((each for each in known if each < version), default=None)


async def _call(own: Parts, call_id: str, staff: Staff) -> Call:
    """The call; a draft is there for the office only."""
    call = await store.load(own.pool, call_id)
    if call is None or (call.announced_at is None and not staff.has(*views.OFFICE)):
        raise calls.unknown_call(call_id)
    return call


ROUTES = [new_call_page, call_page, edit_page, version_page]

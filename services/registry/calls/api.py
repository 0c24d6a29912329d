"""Routes of calls and their rules: parse, one domain call, reply."""

from typing import Any

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from services.registry.calls import calls, editing, freezing, store, views
from services.registry.calls.drafts import RULES, SECRET, read_call
from services.registry.calls.store import Call
from services.registry.paging import LIMIT_DEFAULT, checked_limit, page
from services.registry.parts import PREFIX, parts
from services.registry.reasons import RegistryReason
from services.registry.rounds import views as round_views
from services.registry.rounds.freezing import bad_round
from services.registry.rounds.reading import Problem
from services.shared.errors import Refusal
from services.shared.pages import AnyRequest
from services.shared.staff import Role, Staff

NO_STORE = {"cache-control": "no-store"}


class NewCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /calls`: file name → text; the id stands in rules.toml. `fields` are then put into the rules."""

    files: dict[str, str]
    rehearsal: bool = False
    fields: dict[str, Any] = {}


class CallFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /calls/check`."""

    files: dict[str, str]


class NewContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /calls/{call}/files/{name}`; an announced call needs the reason, an empty text takes a file out."""

    content: str
    version: int
    reason: str = ""


class NewRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT /calls/{call}/rules`: nested fields; what is not named stays, null takes out."""

    fields: dict[str, Any]
    version: int
    reason: str = ""


class SeenVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of acts on a call: the version that was read."""

    version: int


@get(f"{PREFIX}/calls")
async def list_calls(
    request: AnyRequest, after: FromQuery[str] = "", limit: FromQuery[int] = LIMIT_DEFAULT
) -> dict[str, Any]:
    """Announced calls for everybody, drafts too for the office."""
    own = parts(request)
    staff = await own.door.identify(request)
    drafts = staff is not None and staff.has(*views.OFFICE)
    found = await store.page(own.pool, after, checked_limit(limit) + 1, drafts=drafts)
    now = own.clock.now()
    answer = page(found, limit, lambda call: call.call)
    return {**answer, "items": [views.line(each, now) for each in answer["items"]]}


@post(f"{PREFIX}/calls", status_code=201)
async def create_call(request: AnyRequest, data: JSONBody[NewCall]) -> dict[str, Any]:
    """A new draft from the files of a folder, or from rules.toml alone."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    files = _with_fields(data.files, data.fields)
    call = await calls.create(own.pool, files, data.rehearsal, actor, own.clock.now())
    return await _answer(request, call, actor)


@post(f"{PREFIX}/calls/check", status_code=200)
async def check_call(request: AnyRequest, data: JSONBody[CallFiles]) -> dict[str, Any]:
    """What is wrong with a call's files, with file and line; nothing is stored."""
    await parts(request).door.require(request, Role.ADMINISTRATOR, Role.REVIEWER)
    return calls.check(data.files)


@get(f"{PREFIX}/calls/{{call_id:str}}")
async def get_call(request: AnyRequest, call_id: FromPath[str]) -> Response[dict[str, Any]]:
    """A call with its windows, quotas, channels and versions."""
    staff = await parts(request).door.identify(request)
    return Response(await _answer(request, call_id, staff), headers=NO_STORE if staff else {})


@get(f"{PREFIX}/calls/{{call_id:str}}/rules")
async def get_rules(request: AnyRequest, call_id: FromPath[str]) -> dict[str, Any]:
    """The rules as text and as fields, with what is wrong or doubtful in them."""
    own = parts(request)
    call = await _visible(request, call_id, await own.door.identify(request))
    _, problems = read_call(await store.files(own.pool, call))
    return views.rules_facts(call, editing.fields_of(call.rules), editing.problem_facts(problems))


@put(f"{PREFIX}/calls/{{call_id:str}}/rules", status_code=200)
async def put_rules(request: AnyRequest, call_id: FromPath[str], data: JSONBody[NewRules]) -> Response[dict[str, Any]]:
    """The editor form: gives the same rules.toml as a file would, the author's comments kept."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    call = await _visible(request, call_id, actor)
    text = _with_fields({RULES: call.rules}, data.fields)[RULES]
    return await _put(request, call_id, RULES, NewContent(text, data.version, data.reason), actor)


def _with_fields(files: dict[str, str], fields: dict[str, Any]) -> dict[str, str]:
    """The files with the form's fields in rules.toml; raises Refusal `bad_round` where one fits nowhere."""
    if not fields:
        return files
    try:
        return {**files, RULES: editing.edited(files.get(RULES, ""), fields)}
    except editing.BadField as error:
        raise bad_round([Problem(RULES, 0, str(error))]) from None


@get(f"{PREFIX}/calls/{{call_id:str}}/files/{{name:str}}")
async def get_file(request: AnyRequest, call_id: FromPath[str], name: FromPath[str]) -> dict[str, Any]:
    """One file of a call as it stands; the seed of lots is nobody's to read."""
    own = parts(request)
    call = await _visible(request, call_id, await own.door.identify(request))
    content = None if name == SECRET else (await store.files(own.pool, call)).get(name)
    if content is None:
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"There is no file {name[:40]!r} of {call.call} for you.")
    return {"call": call.call, "name": name, "content": content, "version": call.version}


@put(f"{PREFIX}/calls/{{call_id:str}}/files/{{name:str}}", status_code=200)
async def put_file(
    request: AnyRequest, call_id: FromPath[str], name: FromPath[str], data: JSONBody[NewContent]
) -> Response[dict[str, Any]]:
    """A file of a draft is stored (200); of an announced call it is proposed (202) and needs a second signature."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    return await _put(request, call_id, name, data, actor)


@post(f"{PREFIX}/calls/{{call_id:str}}/announce", status_code=200)
async def announce_call(request: AnyRequest, call_id: FromPath[str], data: JSONBody[SeenVersion]) -> dict[str, Any]:
    """Publish a draft, and the commitment to the seed that numbers will be drawn with."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    await calls.announce(own.pool, call_id, data.version, actor, own.clock.now())
    return await _answer(request, call_id, actor)


@post(f"{PREFIX}/calls/{{call_id:str}}/changes/{{change:str}}/confirm", status_code=200)
async def confirm_change(request: AnyRequest, call_id: FromPath[str], change: FromPath[str]) -> dict[str, Any]:
    """The second signature of a change."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    await calls.confirm(own.pool, call_id, change, actor, own.clock.now())
    return await _answer(request, call_id, actor)


@get(f"{PREFIX}/calls/{{call_id:str}}/versions/{{version:int}}")
async def get_version(request: AnyRequest, call_id: FromPath[str], version: FromPath[int]) -> dict[str, Any]:
    """The files of an announced version, as applicants could read them then."""
    own = parts(request)
    call = await _visible(request, call_id, await own.door.identify(request))
    files = await store.version_files(own.pool, call.call, version)
    if files is None:
        raise Refusal(RegistryReason.UNKNOWN_CALL, f"{call.call} was never announced as version {version}.")
    return {"call": call.call, "version": version, "files": files}


@post(f"{PREFIX}/calls/{{call_id:str}}/freeze", status_code=201)
async def freeze_call(request: AnyRequest, call_id: FromPath[str], data: JSONBody[SeenVersion]) -> dict[str, Any]:
    """Accepted applications become candidates, numbers are drawn by the committed seed, the rules are frozen."""
    own = parts(request)
    actor = await own.door.require(request, Role.ADMINISTRATOR)
    round_ = await freezing.freeze(own.pool, call_id, data.version, actor, own.settings, own.clock.now())
    return round_views.public_facts(round_, own.clock.now())


async def _visible(request: AnyRequest, call_id: str, staff: Staff | None) -> Call:
    """The call; a draft is there for the office only."""
    call = await store.load(parts(request).pool, call_id)
    if call is None or (call.announced_at is None and not (staff and staff.has(*views.OFFICE))):
        raise calls.unknown_call(call_id)
    return call


async def _answer(request: AnyRequest, call_id: str, staff: Staff | None) -> dict[str, Any]:
    own = parts(request)
    call = await _visible(request, call_id, staff)
    draft = calls.checked(await store.files(own.pool, call))
    versions, changes = await store.versions(own.pool, call.call), await store.changes(own.pool, call.call)
    return views.whole(call, draft, versions, changes, staff, own.clock.now())


async def _put(
    request: AnyRequest, call_id: str, name: str, data: NewContent, actor: Staff
) -> Response[dict[str, Any]]:
    own = parts(request)
    change = await calls.put_file(
        own.pool, call_id, name, data.content, data.version, data.reason, actor, own.clock.now()
    )
    answer = await _answer(request, call_id, actor)
    if change is None:
        return Response(answer, headers=NO_STORE)
    return Response({**answer, "change": change.change}, status_code=202, headers=NO_STORE)


ROUTES = [
    list_calls, create_call, check_call, get_call, get_rules, put_rules, get_file, put_file, announce_call,
    confirm_change, get_version, freeze_call,
]  # fmt: skip

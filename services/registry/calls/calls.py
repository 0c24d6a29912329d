"""The life of a call: drafted, announced, changed by two signatures. (Freezing is in `freezing.py`.)

Invariant: what is stored holds together as a whole; what was announced changes only by a proposal of one person that
another confirms, and every version of it stays readable. Each act holds the call's row and is logged.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.registry.calls import store
from services.registry.calls.changes import forbidden_changes
from services.registry.calls.drafts import FILES, RULES, SECRET, CallDraft, problems_of_announcing, read_call
from services.registry.calls.editing import problem_facts
from services.registry.calls.store import Call, Change
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rounds import lots
from services.registry.rounds.freezing import bad_round
from services.registry.rounds.reading import Problem
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

REASON_MAX = 1000


def unknown_call(call: str) -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_CALL, f"There is no call {call[:64]!r}.")


def required_reason(reason: str) -> str:
    """The reason on one line; raises Refusal `reason_missing`."""
    told = " ".join(reason.split())
    if not 0 < len(told) <= REASON_MAX:
        raise Refusal(RegistryReason.REASON_MISSING, f"Say in 1 to {REASON_MAX} characters why.")
    return told


def require_version(call: Call, version: int) -> None:
    """Raises Refusal `stale_version` with the present one."""
    if version != call.version:
        raise Refusal(
            RegistryReason.STALE_VERSION,
            f"The call is at version {call.version} and you read {version}; load it again and repeat your change.",
            version=call.version,
        )


def check(files: Mapping[str, str]) -> dict[str, Any]:
    """What is wrong with a call's files, and what is allowed and probably not meant; stores nothing."""
    draft, problems = read_call(files)
    return {"problems": problem_facts(problems), "warnings": draft.warnings if draft else []}


def checked(files: Mapping[str, str]) -> CallDraft:
    """The call's files as a whole; raises Refusal `bad_round` with every problem."""
    draft, problems = read_call(files)
    if draft is None:
        raise bad_round(problems)
    return draft


async def held(connection: Connection, call: str) -> Call:
    """The call, its row held; raises Refusal `unknown_call`."""
    found = await store.load(connection, call, lock=True)
    if found is None:
        raise unknown_call(call)
    return found


def require_state(call: Call, *states: str) -> None:
    """Raises Refusal `wrong_state`; a frozen call says that its rules came first."""
    if call.state in states:
        return
    if call.state == "frozen":
        detail = "The call is frozen: its rules came first; only the events they foresee may follow."
    else:
        detail = f"The call is {call.state}; this needs one that is {' or '.join(states)}."
    raise Refusal(RegistryReason.WRONG_STATE, detail, state=call.state)


async def create(pool: Pool, files: Mapping[str, str], rehearsal: bool, actor: Staff, now: datetime) -> str:
    """Store a new draft; its id. Raises Refusal `bad_round`, `round_exists`."""
    draft = checked(files)
    call = draft.rules.round.id
    async with transaction(pool) as connection:
        if not await store.insert(connection, draft, rehearsal, actor.staff, now):
            raise Refusal(
                RegistryReason.ROUND_EXISTS, f"There is a call or round {call} already; give this one another id."
            )
        await record(
            connection, now, actor.staff, "call.created", "call", call, round_id=call,
            after={"digest": draft.rules.digest, "files": sorted(draft.files), "rehearsal": rehearsal},
        )  # fmt: skip
    return call


async def put_file(
    pool: Pool, call_id: str, name: str, content: str, version: int, reason: str, actor: Staff, now: datetime
) -> Change | None:
    """Store a file of a draft (None), or propose the change of an announced call (the proposal).

    An empty content takes a smaller file out. Raises Refusal `bad_round`, `stale_version`, `too_late`, `wrong_state`.
    """
    if name not in FILES:
        raise bad_round([Problem(name[:120], 0, f"is no file of a call; use any of: {', '.join(FILES)}")])
    async with transaction(pool) as connection:
        call = await held(connection, call_id)
        require_state(call, "draft", "announced")
        require_version(call, version)
        before, after = await _before_and_after(connection, call, name, content)
        if call.state == "draft":
            await _store(connection, call, before, after, name, actor, now)
            return None
        await _require_allowed(connection, call, before, after, now)
        change = Change(
            secrets.token_hex(8), call.call, call.version, name, content, required_reason(reason), actor.staff, now,
            None, None,
        )  # fmt: skip
        await store.add_change(connection, change)
        await record(
            connection, now, actor.staff, "call.change_proposed", "call", call.call, round_id=call.call,
            after={"change": change.change, "file": name, "reason": change.reason, "digest": after.rules.digest},
        )  # fmt: skip
    return change


async def _before_and_after(connection: Connection, call: Call, name: str, content: str) -> tuple[CallDraft, CallDraft]:
    """The call's files as they stand and as they would be, both checked."""
    files = await store.files(connection, call)
    changed = {**files, name: content}
    if not content and name != RULES:
        del changed[name]
    before, after = checked(files), checked(changed)
    if after.rules.round.id != call.call:
        raise bad_round([Problem(RULES, 0, f"names the call {after.rules.round.id!r}; this one is {call.call!r}")])
    return before, after


async def _store(
    connection: Connection, call: Call, before: CallDraft, after: CallDraft, name: str, actor: Staff, now: datetime
) -> None:
    version = await store.write_draft(connection, after, name)
    await record(
        connection, now, actor.staff, "call.file_changed", "call", call.call, round_id=call.call,
        before={"file": name, "digest": before.rules.digest},
        after={"file": name, "digest": after.rules.digest, "version": version},
    )  # fmt: skip


async def _require_allowed(
    connection: Connection, call: Call, before: CallDraft, after: CallDraft, now: datetime
) -> None:
    refusals = forbidden_changes(before, after, now, await store.applied_channels(connection, call.call))
    if refusals:
        raise Refusal(RegistryReason.TOO_LATE, refusals[0], refusals=refusals)
    problems = _announced_problems(after, await store.channels(connection))
    if problems:
        raise bad_round(problems)


def _announced_problems(draft: CallDraft, known: Mapping[str, Any]) -> list[Problem]:
    """The checks of an announcement without the one that a window must still be to come."""
    window = draft.rules.windows.application
    # Any moment before the window closes will do: whether it may still move, `changes.py` has decided.
    return problems_of_announcing(draft, known, window.opens if window else datetime.min.replace(tzinfo=UTC))


async def announce(pool: Pool, call_id: str, version: int, actor: Staff, now: datetime) -> None:
    """Publish a draft: applicants may rely on it from now on. Commits to the seed that numbers will be drawn with."""
    async with transaction(pool) as connection:
        call = await held(connection, call_id)
        require_state(call, "draft")
        require_version(call, version)
        draft = checked(await store.files(connection, call))
        problems = problems_of_announcing(draft, await store.channels(connection), now)
        if problems:
            raise bad_round(problems)
        added = await store.add_channels(connection, list(draft.channels.values()), now)
        seed = lots.new_seed()
        commitment = lots.commitment(seed)
        announced = await store.announce(connection, call.call, seed, commitment, now)
        await _keep(connection, draft, announced, "announced", [actor.staff], now)
        await record(
            connection, now, actor.staff, "call.announced", "call", call.call, round_id=call.call,
            after={"version": announced, "digest": draft.rules.digest, "number_commitment": commitment,
                   "channels_added": added},
        )  # fmt: skip


async def _keep(
    connection: Connection, draft: CallDraft, version: int, reason: str, signed_by: list[str], now: datetime
) -> None:
    public = {name: text for name, text in draft.files.items() if name != SECRET}
    await store.keep_version(
        connection, draft.rules.round.id, version, draft.rules.digest, public, reason, signed_by, now
    )


async def confirm(pool: Pool, call_id: str, change_id: str, actor: Staff, now: datetime) -> None:
    """The second signature: the change applies as it was proposed, checked anew at this moment.

    Raises Refusal `unknown_proposal`, `same_person`, `already_decided`, `stale_version`, `too_late`.
    """
    async with transaction(pool) as connection:
        call = await held(connection, call_id)
        found = [each for each in await store.changes(connection, call.call) if each.change == change_id]
        if not found:
            raise Refusal(RegistryReason.UNKNOWN_PROPOSAL, f"There is no proposed change {change_id[:40]!r} here.")
        change = found[0]
        if change.confirmed_by is not None:
            raise Refusal(RegistryReason.ALREADY_DECIDED, "This change is confirmed and in force.")
        require_state(call, "announced")
        if change.proposed_by == actor.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You proposed this change; somebody else must confirm it.")
        require_version(call, change.version)
        before, after = await _before_and_after(connection, call, change.name, change.content)
        await _require_allowed(connection, call, before, after, now)
        version = await store.write_draft(connection, after, change.name)
        await store.add_channels(connection, list(after.channels.values()), now)
        await store.confirm_change(connection, change_id, actor.staff, now)
        await _keep(connection, after, version, change.reason, [change.proposed_by, actor.staff], now)
        await record(
            connection, now, actor.staff, "call.changed", "call", call.call, round_id=call.call,
            before={"digest": before.rules.digest, "version": call.version},
            after={"digest": after.rules.digest, "version": version, "change": change_id, "file": change.name,
                   "reason": change.reason, "proposed_by": change.proposed_by},
        )  # fmt: skip

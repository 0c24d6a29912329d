"""Making a rehearsal and taking it out of view; each act is logged, and nothing is deleted.

Invariant: only a round that is marked as a rehearsal from its freezing on can be taken out of view.
"""

from datetime import datetime

from services.registry.calls import calls
from services.registry.calls import store as call_store
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rehearsals import making, store
from services.registry.rounds import freezing
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Phase, Round
from services.registry.settings import RegistrySettings
from services.shared.errors import Refusal
from services.shared.postgres import Pool, transaction
from services.shared.ranking.rules import parse_rules
from services.shared.staff import Staff

MINUTES_DEFAULT, MINUTES_MAX = 30, 24 * 60


async def of_round(
    pool: Pool, round_id: str, minutes: int, actor: Staff, settings: RegistrySettings, now: datetime
) -> Round:
    """A rehearsal of a frozen round, open at once for `minutes`; raises Refusal `unknown_round`, `bad_rehearsal`."""
    _require_minutes(minutes)
    found = await rounds.require_round(pool, round_id)
    if found.rehearsal:
        raise Refusal(RegistryReason.BAD_REHEARSAL, "This is a rehearsal itself; rehearse the round it was made from.")
    identifier = await _free_id(pool, found.round)
    # The rules as they were handed in: those of a round that was opened at once have another text.
    files = await store.files_of_round(pool, found.round)
    made = making.of_round(files, parse_rules(files["rules.toml"].encode()), identifier)
    return await _load(pool, made, minutes, actor, settings, now)


async def of_call(
    pool: Pool, call_id: str, minutes: int, actor: Staff, settings: RegistrySettings, now: datetime
) -> Round:
    """A rehearsal of a call that is not frozen yet, with made-up candidates."""
    _require_minutes(minutes)
    call = await call_store.load(pool, call_id)
    if call is None:
        raise calls.unknown_call(call_id)
    draft = calls.checked(await call_store.files(pool, call))
    identifier = await _free_id(pool, call.call)
    made = making.of_call(draft.files, draft.rules, list(draft.channels.values()), identifier)
    return await _load(pool, made, minutes, actor, settings, now)


async def remove(pool: Pool, round_id: str, actor: Staff, now: datetime) -> Round:
    """Take a rehearsal out of view; again is harmless. Raises Refusal `not_a_rehearsal`, `window_open`."""
    async with transaction(pool) as connection:
        await rounds.lock_round(connection, round_id)
        found = await rounds.require_round(connection, round_id)
        if not found.rehearsal:
            raise Refusal(RegistryReason.NOT_A_REHEARSAL, "Only a rehearsal is taken out of view; this round is real.")
        if found.removed_at is not None:
            return found
        if found.phase(now) is Phase.OPEN:
            raise Refusal(RegistryReason.WINDOW_OPEN, "People are voting in it; close the rehearsal first.")
        await store.remove(connection, round_id, now)
        removed = await rounds.publish(connection, round_id)
        await record(connection, now, actor.staff, "rehearsal.removed", "round", round_id, round_id=round_id)
    return removed


async def _load(
    pool: Pool, files: dict[str, str], minutes: int, actor: Staff, settings: RegistrySettings, now: datetime
) -> Round:
    wanted = freezing.Wanted(actor.staff, now, minutes * 60, rehearsal=True)
    made, _ = await freezing.load(pool, files, wanted, settings)
    await record(
        pool, now, actor.staff, "rehearsal.opened", "round", made.round, round_id=made.round,
        after={"minutes": minutes, "digest": made.digest},
    )  # fmt: skip
    return made


async def _free_id(pool: Pool, base: str) -> str:
    beginning = making.rehearsal_id(base, 0).removesuffix("0")
    return making.rehearsal_id(base, await store.next_number(pool, beginning))


def _require_minutes(minutes: int) -> None:
    if not 1 <= minutes <= MINUTES_MAX:
        raise Refusal(RegistryReason.BAD_REHEARSAL, f"minutes must be from 1 to {MINUTES_MAX}.")

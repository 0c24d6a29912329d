"""A call becomes a round: its accepted applications are written as the files a folder would hold, then frozen alike.

Invariant: a frozen call and a loaded folder are the same thing, since both come through `rounds/freezing.freeze`.
Nothing is frozen while an application waits for a decision or may still be appealed for.
"""

from datetime import date, datetime
from typing import Any

import tomlkit

from services.registry.applications import store as applications
from services.registry.applications.records import Version
from services.registry.applications.stages import Stage, move
from services.registry.calls import calls, store
from services.registry.calls import recommendation_store as recommendations
from services.registry.calls.store import Call
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.reviews import appeals
from services.registry.rounds import freezing as rounds
from services.registry.rounds import pictures
from services.registry.rounds import store as round_store
from services.registry.rounds.views import Round
from services.registry.settings import RegistrySettings
from services.shared.clock import day_in
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Staff

_UNDECIDED = (Stage.RECOMMENDED, Stage.IN_REVIEW, Stage.COMPLETION)


async def freeze(
    pool: Pool, call_id: str, version: int, actor: Staff, settings: RegistrySettings, now: datetime
) -> Round:
    """The frozen round. Raises Refusal `not_open`, `undecided`, `bad_round`, `too_late`, `stale_version`."""
    async with transaction(pool) as connection:
        await round_store.lock_round(connection, call_id)
        call = await calls.held(connection, call_id)
        calls.require_state(call, "announced")
        calls.require_version(call, version)
        await _require_decided(connection, call, now)
        accepted = await store.applications_at(connection, call_id, Stage.ACCEPTED)
        if not accepted:
            raise Refusal(RegistryReason.UNDECIDED, "No application was accepted; there is nothing to vote on.")
        files = await _files(connection, call, accepted)
        wanted = rounds.Wanted(
            actor.staff, now, rehearsal=call.rehearsal, number_seed=await store.seed(connection, call_id)
        )
        draft = await rounds.freeze(connection, files, wanted, settings)
        await pictures.copy(connection, call_id, accepted)
        for application in accepted:
            await move(connection, application, [Stage.ACCEPTED], Stage.CANDIDATE, now)
        await store.set_state(connection, call_id, "frozen")
        await record(
            connection, now, actor.staff, "call.frozen", "call", call_id, round_id=call_id,
            before={"version": call.version}, after={"digest": draft.rules.digest, "candidates": accepted},
        )  # fmt: skip
        return await round_store.publish(connection, call_id)


async def _require_decided(connection: Connection, call: Call, now: datetime) -> None:
    closes = call.recommendation_closes_at
    if closes is None or now < closes:
        raise Refusal(RegistryReason.NOT_OPEN, f"Recommendations are open until {closes}; freeze the call afterwards.")
    for stage in _UNDECIDED:
        waiting = await store.applications_at(connection, call.call, stage)
        if waiting:
            raise Refusal(
                RegistryReason.UNDECIDED, f"{len(waiting)} applications stand at {stage}; decide on them first.",
                applications=waiting[:100],
            )  # fmt: skip
    today = day_in(now, call.timezone)
    open_until = await appeals.open_until(connection, call.call, call.appeal_working_days, today)
    if open_until is not None:
        raise Refusal(
            RegistryReason.UNDECIDED,
            f"An appeal waits for its answer, or may be made until {open_until}; freeze the call afterwards.",
            appeals_until=open_until,
        )


async def _files(connection: Connection, call: Call, accepted: list[str]) -> dict[str, str]:
    """What a folder of this round would hold."""
    files = await store.files(connection, call)
    exemptions = await _exemptions(connection, call)
    if exemptions:
        files["exemptions.toml"] = exemptions
    for application in accepted:
        handed_in = await applications.newest_version(connection, application)
        assert handed_in is not None, "an accepted application was handed in"
        files[f"applications/{application}.toml"] = application_toml(handed_in)
    return files


async def _exemptions(connection: Connection, call: Call) -> str:
    found = [each for each in await recommendations.exemptions(connection, call.call) if each.confirmed_by]
    names = await applications.load_units(connection, "unit", [each.unit for each in found if each.unit])
    return tomlkit.dumps(
        {
            "exemptions": [
                {
                    "channel": each.channel,
                    **({"unit": names[each.unit].name} if each.unit else {}),
                    "places": each.places,
                    "reason": each.reason,
                }
                for each in found
            ]
        }
        if found
        else {}
    )


def application_toml(version: Version) -> str:
    """An application as it was handed in last, in the form of a round's folder; pure."""
    content = version.content
    written: dict[str, Any] = {
        "candidate": version.application,
        **{key: content[key] for key in ("title", "level", "category", "channel", "summary", "lead")},
        "partners": content["partners"],
        "sections": content["sections"],
        "team": content["team"],
        "budget": [{key: row[key] for key in ("line", "amount", "basis")} for row in content["budget"]],
        "targets": [{**row, "due": date.fromisoformat(row["due"])} for row in content["targets"]],
    }
    if not written["partners"]:
        del written["partners"]
    return tomlkit.dumps(written)

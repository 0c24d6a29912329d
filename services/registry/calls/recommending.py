"""What a channel recommends: ranked and not recommended, sent once, within quota and named exemptions.

Invariant: the row of the channel's recommendation is held from the check of its quota to the commit, so that two
officers at once cannot exceed it. A direct channel (municipal units) without an officer passes by `pass_direct_once`.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime

from services.registry.applications.access import has_conflict
from services.registry.applications.stages import Stage, move
from services.registry.calls import calls, quotas, store
from services.registry.calls import recommendation_store as recommendations
from services.registry.calls.quotas import Entry, Exemption
from services.registry.calls.recommendation_store import Recommendation
from services.registry.calls.store import Call
from services.registry.log.record import record
from services.registry.reasons import RegistryReason
from services.registry.rounds.companions import Channel
from services.shared.errors import Refusal
from services.shared.postgres import Connection, Pool, transaction
from services.shared.staff import Role, Staff

REASON_MAX = 1000
OPINION_MAX = 2000
READERS = (Role.CHANNEL_OFFICER, Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)


def unknown_channel(channel: str) -> Refusal:
    return Refusal(RegistryReason.UNKNOWN_CHANNEL, f"There is no channel {channel[:64]!r} for you.")


def require_reader(staff: Staff, channel: str) -> None:
    """Officers see their own channel only; a foreign one is answered as if it were not there."""
    office = staff.has(Role.REVIEWER, Role.ADMINISTRATOR, Role.AUDITOR)
    if not office and not (staff.channel and staff.channel == channel):
        raise unknown_channel(channel)


def require_officer(staff: Staff, channel: str) -> None:
    """Only officers of the channel recommend; raises Refusal `unknown_channel`."""
    if not (staff.has(Role.CHANNEL_OFFICER) and staff.channel and staff.channel == channel):
        raise unknown_channel(channel)


async def channel_of(connection: Connection | Pool, channel: str) -> Channel:
    """The channel as it stands; raises Refusal `unknown_channel`."""
    found = (await store.channels(connection)).get(channel)
    if found is None:
        raise unknown_channel(channel)
    return found


async def put(
    pool: Pool, call_id: str, channel_id: str, ranked: list[str], not_recommended: Mapping[str, str],
    opinions: Mapping[str, str], version: int, officer: Staff, now: datetime,
) -> int:  # fmt: skip
    """Store what an officer ranked so far; the new version.

    Raises Refusal `unknown_channel`, `stale_version`, `bad_recommendation`, `quota_full`, `deadline_passed`.
    """
    require_officer(officer, channel_id)
    async with transaction(pool) as connection:
        call = await _announced(connection, call_id)
        channel = await channel_of(connection, channel_id)
        _require_before_close(call, now)
        held = await _unsent(connection, call, channel, version)
        entries = await recommendations.entries(connection, call.call, channel_id)
        _require_fit(entries, ranked, not_recommended, opinions)
        await _require_quota(connection, call, channel, [entries[each] for each in ranked])
        stored = await recommendations.write(
            connection, call.call, channel_id, ranked, not_recommended, opinions, officer.staff, now
        )
        await record(
            connection, now, officer.staff, "recommendation.changed", "recommendation", f"{call.call}/{channel_id}",
            round_id=call.call, before={"ranked": held.ranked, "not_recommended": held.not_recommended},
            after={"ranked": ranked, "not_recommended": dict(not_recommended), "version": stored},
        )  # fmt: skip
    return stored


def _require_fit(
    entries: Mapping[str, Entry], ranked: list[str], not_recommended: Mapping[str, str], opinions: Mapping[str, str]
) -> None:
    standing = {name: each for name, each in entries.items() if each.stage == Stage.SUBMITTED}
    problem = quotas.misplaced(standing, ranked, not_recommended, REASON_MAX)
    if not problem and (strange := opinions.keys() - set(ranked)):
        problem = f"There is an opinion on {min(strange)[:64]}, which is not ranked."
    if not problem and any(len(text) > OPINION_MAX for text in opinions.values()):
        problem = f"An opinion may have {OPINION_MAX} characters; shorten it."
    if problem:
        raise Refusal(RegistryReason.BAD_RECOMMENDATION, problem)


async def send(pool: Pool, call_id: str, channel_id: str, version: int, officer: Staff, now: datetime) -> int:
    """Hand the recommendation in, inside its window; every application is then recommended or not, with a reason."""
    require_officer(officer, channel_id)
    async with transaction(pool) as connection:
        call = await _announced(connection, call_id)
        channel = await channel_of(connection, channel_id)
        if call.recommendation_opens_at is None or now < call.recommendation_opens_at:
            raise Refusal(
                RegistryReason.NOT_OPEN,
                f"Recommendations are taken from {call.recommendation_opens_at}; what you ranked is kept until then.",
                opens_at=call.recommendation_opens_at,
            )
        _require_before_close(call, now)
        held = await _unsent(connection, call, channel, version)
        entries = await recommendations.entries(connection, call.call, channel_id, lock=True)
        missing = [
            each.application
            for each in entries.values()
            if each.stage == Stage.SUBMITTED and each.application not in {*held.ranked, *held.not_recommended}
        ]
        if missing:
            raise Refusal(
                RegistryReason.BAD_RECOMMENDATION,
                f"{len(missing)} applications are neither ranked nor not recommended with a reason; decide on them.",
                applications=missing,
            )
        _require_fit(entries, held.ranked, held.not_recommended, held.opinions)
        await _require_quota(connection, call, channel, [entries[each] for each in held.ranked])
        return await _send(connection, call, channel, held.ranked, held.not_recommended, officer.staff, now)


async def _send(
    connection: Connection, call: Call, channel: Channel, ranked: list[str], not_recommended: Mapping[str, str],
    actor: str, now: datetime,
) -> int:  # fmt: skip
    for application in ranked:
        await move(connection, application, [Stage.SUBMITTED], Stage.RECOMMENDED, now)
    for application in not_recommended:
        await move(connection, application, [Stage.SUBMITTED], Stage.NOT_RECOMMENDED, now)
    sent = await recommendations.send(connection, call.call, channel.channel, actor, now)
    await record(
        connection, now, actor, "recommendation.sent", "recommendation", f"{call.call}/{channel.channel}",
        round_id=call.call, after={"ranked": ranked, "not_recommended": dict(not_recommended)},
    )  # fmt: skip
    return sent


async def _announced(connection: Connection, call_id: str) -> Call:
    call = await store.load(connection, call_id)
    if call is None or call.state == "draft":
        raise calls.unknown_call(call_id)
    calls.require_state(call, "announced")
    return call


def _require_before_close(call: Call, now: datetime) -> None:
    closes = call.recommendation_closes_at
    if closes is not None and now >= closes:
        raise Refusal(
            RegistryReason.DEADLINE_PASSED, f"Recommendations closed at {closes.isoformat()}.", closed_at=closes
        )


async def _unsent(connection: Connection, call: Call, channel: Channel, version: int) -> Recommendation:
    held = await recommendations.hold(connection, call.call, channel.channel)
    if held.sent_at is not None:
        raise Refusal(RegistryReason.ALREADY_DECIDED, f"{channel.name} sent its recommendation; it is final.")
    if held.version != version:
        raise Refusal(
            RegistryReason.STALE_VERSION,
            f"A colleague changed it: it is at version {held.version} and you read {version}; load it again.",
            version=held.version,
        )
    return held


async def _require_quota(connection: Connection, call: Call, channel: Channel, ranked: list[Entry]) -> None:
    granted = await recommendations.exemptions(connection, call.call, channel.channel)
    problem = quotas.excess(channel.kind, call.quotas.get(channel.kind), granted, ranked)
    if problem:
        raise Refusal(RegistryReason.QUOTA_FULL, problem, quota=call.quotas.get(channel.kind))


async def pass_direct_once(pool: Pool, now: datetime) -> int:
    """Step of the elected loop: municipal units apply directly; where no officer is there to send, their applications
    go on by themselves after the window, within the quota of each unit and in the order they came."""
    waiting = await recommendations.direct_channels_to_pass(pool, now)
    for call_id, channel_id in waiting:
        async with transaction(pool) as connection:
            call = await store.load(connection, call_id, lock=True)
            channel = await channel_of(connection, channel_id)
            held = await recommendations.hold(connection, call_id, channel_id)
            if call is None or held.sent_at is not None:
                continue
            entries = await recommendations.entries(connection, call_id, channel_id, lock=True)
            granted = await recommendations.exemptions(connection, call_id, channel_id)
            submitted = [each for each in entries.values() if each.stage == Stage.SUBMITTED]
            ranked, left = quotas.direct_choice(call.quotas.get(channel.kind), granted, submitted)
            await recommendations.write(connection, call_id, channel_id, ranked, left, {}, "registry", now)
            await _send(connection, call, channel, ranked, left, "registry", now)
    return len(waiting)


async def exempt(
    pool: Pool, call_id: str, channel_id: str, unit: str | None, places: int, reason: str, actor: Staff, now: datetime
) -> Exemption:
    """Propose places beyond a quota, for a reason; they count when an administrator, not the proposer, confirms them.

    Officers ask for their own channel; an administrator does not ask for the own unit or channel.
    """
    if not actor.has(Role.ADMINISTRATOR):
        require_officer(actor, channel_id)
    told = calls.required_reason(reason)
    if not 1 <= places <= 100:
        raise Refusal(RegistryReason.BAD_RECOMMENDATION, "places must be from 1 to 100.")
    async with transaction(pool) as connection:
        call = await _announced(connection, call_id)
        channel = await channel_of(connection, channel_id)
        if actor.has(Role.ADMINISTRATOR):
            _require_no_conflict(actor, unit, channel_id)
        _require_before_close(call, now)
        if (channel.kind == quotas.DIRECT_KIND) is (unit is None):
            needed = "name the unit it is for" if unit is None else "leave unit out; the quota is the channel's"
            raise Refusal(RegistryReason.BAD_RECOMMENDATION, f"{channel.name} is a {channel.kind}: {needed}.")
        if unit is not None and not await recommendations.unit_in_channel(connection, unit, channel_id):
            raise Refusal(RegistryReason.UNKNOWN_UNIT, f"There is no unit {unit[:64]!r} in {channel.name}.")
        made = Exemption(secrets.token_hex(8), call.call, channel_id, unit, places, told, actor.staff, now, None, None)
        await recommendations.add_exemption(connection, made)
        await record(
            connection, now, actor.staff, "exemption.proposed", "exemption", made.exemption, round_id=call.call,
            after={"channel": channel_id, "unit": unit, "places": places, "reason": told},
        )  # fmt: skip
    return made


def _require_no_conflict(actor: Staff, unit: str | None, channel: str) -> None:
    if has_conflict(actor, unit or "", channel):
        raise Refusal(RegistryReason.CONFLICT_OF_INTEREST, "It concerns your own unit or channel; a colleague acts.")


async def confirm_exemption(pool: Pool, call_id: str, identifier: str, actor: Staff, now: datetime) -> Exemption:
    """The second signature of an exemption; raises Refusal `unknown_proposal`, `same_person`, `already_decided`."""
    async with transaction(pool) as connection:
        call = await _announced(connection, call_id)
        found = await recommendations.exemption(connection, call.call, identifier)
        if found is None:
            raise Refusal(RegistryReason.UNKNOWN_PROPOSAL, f"There is no exemption {identifier[:40]!r} of this call.")
        _require_no_conflict(actor, found.unit, found.channel)
        if found.confirmed_by is not None:
            raise Refusal(RegistryReason.ALREADY_DECIDED, "This exemption is confirmed.")
        if found.proposed_by == actor.staff:
            raise Refusal(RegistryReason.SAME_PERSON, "You proposed it; a different administrator must confirm it.")
        _require_before_close(call, now)
        await recommendations.confirm_exemption(connection, identifier, actor.staff, now)
        await record(
            connection, now, actor.staff, "exemption.confirmed", "exemption", identifier, round_id=call.call,
            before={"proposed_by": found.proposed_by}, after={"channel": found.channel, "places": found.places},
        )  # fmt: skip
        confirmed = await recommendations.exemption(connection, call.call, identifier)
        assert confirmed is not None
    return confirmed

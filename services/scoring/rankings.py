"""Rankings: one administrator has one computed and proposed, a different one publishes it.

Both acts hold the round, look at sheets and tally as they are then, and are one transaction; publication leaves its
message in the outbox inside it. Called by `api.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version as installed_version

import msgspec

from services.scoring import metrics, store, tally_store
from services.scoring.combination import Combined, combine, input_files, inputs_digest, sheets_digest
from services.scoring.desk import Desk
from services.scoring.progress import require_scored
from services.scoring.reasons import Reason
from services.scoring.records import Ranking, Reopening, Tally
from services.scoring.results import ranking_body
from services.scoring.rounds import Round
from services.scoring.sheets import require_reason
from services.shared import outbox
from services.shared.errors import Refusal
from services.shared.keys import SealBroken, unseal
from services.shared.messages import SCORING_RANKINGS, RankingMessage, TallyContent
from services.shared.postgres import Connection, transaction
from services.shared.ranking.errors import InputError
from services.shared.staff import Role, Staff

SOFTWARE = f"pingxuan {installed_version('pingxuan')}"


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a ranking would rest on now."""

    round: Round
    tally: Tally | None
    content: TallyContent | None
    files: Mapping[str, bytes]
    digest: str


def open_tally(key: bytes, round_id: str, sealed: bytes, digest: str) -> TallyContent:
    """The counts inside a sealed tally; raises SealBroken when key, content or digest do not belong together."""
    plain = unseal(key, sealed, round_id.encode())
    if hashlib.sha256(plain).hexdigest() != digest:
        raise SealBroken("the tally's content is not the one its digest names")
    return msgspec.json.decode(plain, type=TallyContent)


class Cause(StrEnum):
    """Why a published ranking may be computed again."""

    OBJECTION_UPHELD = "objection_upheld"
    BALLOTS_EXCLUDED = "ballots_excluded"
    BALLOTS_RESTORED = "ballots_restored"
    SHEET_REOPENED = "sheet_reopened"
    CANDIDATE_WITHDRAWN = "candidate_withdrawn"
    SOFTWARE_CORRECTED = "software_corrected"


@dataclass(frozen=True, slots=True)
class Recomputation:
    """Why version n+1 is made, in a word and a sentence."""

    cause: Cause
    reason: str


async def propose(
    desk: Desk, round_id: str, administrator: Staff, recomputation: Recomputation | None = None
) -> Ranking:
    """Compute the ranking and propose it; the same inputs proposed again by the same person change nothing.

    Once a version is published another one needs its cause and reason, which are kept with it.
    """
    async with transaction(desk.pool) as connection:
        await store.hold_round(connection, round_id)
        inputs = await _gather(desk, connection, round_id, desk.clock.now())
        known = await store.rankings(connection, round_id)
        if known and _stands(known[-1], inputs, administrator):
            return known[-1]
        published = [each.version for each in known if each.published_at is not None]
        _require_unconfirmed(inputs.round, published)
        if published and recomputation is None:
            detail = f"Version {published[-1]} is published; name the cause and the reason of computing it again."
            raise Refusal(Reason.REASON_MISSING, detail, causes=[cause.value for cause in Cause])
        combined = await _combine(inputs)
        new = _new_ranking(inputs, combined, len(known) + 1, administrator, desk.clock.now())
        await store.put_ranking(connection, new, combined.files)
        if published and recomputation is not None:
            reason = require_reason(recomputation.reason)
            await store.put_recomputation(
                connection, round_id, new.version, published[-1], recomputation.cause.value, reason
            )
    metrics.scoring_rankings_total.inc()
    return new


async def preview(desk: Desk, round_id: str, administrator: Staff) -> tuple[Ranking | None, Ranking]:
    """(the newest published ranking, what would be proposed now); nothing is stored.

    Refused as a proposal is: decisions on sheets and ballots are made and sealed before anybody sees their effect.
    """
    async with transaction(desk.pool) as connection:
        await store.hold_round(connection, round_id)
        inputs = await _gather(desk, connection, round_id, desk.clock.now())
        known = await store.rankings(connection, round_id)
        published = [each.version for each in known if each.published_at is not None]
        _require_unconfirmed(inputs.round, published)
        before = await store.ranking(connection, round_id, published[-1]) if published else None
        combined = await _combine(inputs)
    return before, _new_ranking(inputs, combined, len(known) + 1, administrator, desk.clock.now())


def _require_unconfirmed(round_: Round, published: Sequence[int]) -> None:
    confirmed_at = round_.message.list_confirmed_at
    if published and confirmed_at is not None:
        detail = "A meeting confirmed the list of this round; two people must retract it before it is ranked again."
        raise Refusal(Reason.LIST_CONFIRMED, detail, confirmed_at=confirmed_at)


def _stands(newest: Ranking, inputs: _Inputs, administrator: Staff) -> bool:
    """What is published, or already proposed by this person, from the same inputs needs no new version."""
    settled = newest.published_at is not None or newest.proposed_by == administrator.username
    return settled and newest.inputs_digest == inputs.digest


def _new_ranking(inputs: _Inputs, combined: Combined, version: int, administrator: Staff, now: datetime) -> Ranking:
    return Ranking(
        round=inputs.round.id,
        version=version,
        rules_digest=inputs.round.message.digest,
        tally_version=inputs.tally.version if inputs.tally else None,
        tally_digest=inputs.tally.digest if inputs.tally else "",
        sheets_digest=sheets_digest(inputs.files),
        inputs_digest=inputs.digest,
        digest=hashlib.sha256(combined.files["ranking.csv"]).hexdigest(),
        software=SOFTWARE,
        proposed_by=administrator.username,
        created_at=now,
        body=ranking_body(inputs.round, combined.ranking, inputs.content),
    )


async def _gather(desk: Desk, connection: Connection, round_id: str, now: datetime) -> _Inputs:
    """Everything a ranking rests on, checked to be complete; raises Refusal naming what is missing."""
    found = await desk.round(round_id, connection)
    require_scored(found, await store.sheet_statuses(connection, round_id), now)
    tally = await tally_store.newest(connection, round_id)
    if tally is None and found.rules.combination.votes > 0:
        detail = "Voting has sealed no tally yet: it does so when voting is closed and every hold is decided."
        raise Refusal(Reason.TALLY_MISSING, detail)
    _require_decided(await tally_store.reopening(connection, round_id))
    content = None if tally is None else open_tally(desk.keys.tallies, round_id, tally.sealed, tally.digest)
    standing = {card.candidate for card in found.standing}
    sheets = [
        sheet
        for sheet in await store.submitted_sheets(connection, round_id)
        if sheet.candidate in standing and found.scores(sheet.expert, sheet.candidate)
    ]
    files = input_files(found, content, sheets, desk.keys.pseudonyms)
    return _Inputs(found, tally, content, files, inputs_digest(files))


def _require_decided(reopening: Reopening | None) -> None:
    """Ballots are decided on, and the decisions sealed, before anybody sees what they do to the ranking."""
    if reopening is None:
        return
    if reopening.undecided:
        detail = f"Holds made after tally {reopening.version} was sealed are undecided: {reopening.undecided}."
        raise Refusal(Reason.HOLDS_OPEN, f"{detail} Two people decide on each, then voting seals the next tally.")
    changed = reopening.excluded + reopening.restored
    detail = f"{changed} ballots were excluded or restored after tally {reopening.version} was sealed."
    raise Refusal(Reason.TALLY_MISSING, f"{detail} Have voting seal the next tally first.")


async def _combine(inputs: _Inputs) -> Combined:
    try:
        # Large rounds take seconds of arithmetic, which must not stop the experts' saves.
        combined = await asyncio.to_thread(combine, inputs.files)
    except InputError as error:
        raise Refusal(Reason.NOT_RANKABLE, f"{error.reason[:1].upper()}{error.reason[1:]}.") from None
    _require_lots(inputs, combined)
    return combined


def _require_lots(inputs: _Inputs, combined: Combined) -> None:
    """A tie that committed lots must break waits for their seed, which the registry reveals after the close."""
    rule = inputs.round.rules.combination
    if not rule.lots_commitment or "lots" not in rule.tie_break or inputs.round.message.lots_seed:
        return
    rows = combined.ranking.rows
    if len({(row.group, row.place) for row in rows}) < len(rows):
        raise Refusal(Reason.LOTS_MISSING, "A tie waits for the lots: close the round, so that their seed is revealed.")


async def confirm(desk: Desk, round_id: str, version: int, administrator: Staff) -> Ranking:
    """Publish a proposal; confirming a published one again is harmless.

    Raises Refusal `same_person`, `stale`, or what forbids a ranking now.
    """
    await desk.door.require_fresh()
    async with transaction(desk.pool) as connection:
        await store.hold_round(connection, round_id)
        await desk.round(round_id, connection)
        proposal = await store.ranking(connection, round_id, version)
        if proposal is None:
            raise Refusal(Reason.UNKNOWN_RANKING, "No ranking has this version; list them and choose one.")
        if proposal.proposed_by == administrator.username:
            raise Refusal(Reason.SAME_PERSON, "You proposed this ranking; a different administrator must confirm it.")
        if proposal.published_at is not None:
            return proposal
        await _require_current(desk, connection, proposal)
        now = desk.clock.now()
        published = replace(proposal, confirmed_by=administrator.username, published_at=now)
        files = await store.ranking_files(connection, round_id, version)
        await store.put_publication(connection, published)
        await outbox.append(connection, SCORING_RANKINGS, _message(published, files["ranking.csv"], now))
    metrics.scoring_publications_total.inc()
    return published


async def _require_current(desk: Desk, connection: Connection, proposal: Ranking) -> None:
    inputs = await _gather(desk, connection, proposal.round, desk.clock.now())
    newest = (await store.rankings(connection, proposal.round))[-1]
    if newest.version != proposal.version or inputs.digest != proposal.inputs_digest:
        detail = "Votes, marks or candidates changed since, or a newer proposal exists; have it computed again."
        raise Refusal(Reason.STALE, detail, newest_version=newest.version)
    if not await store.has_role(connection, proposal.proposed_by, Role.ADMINISTRATOR.value):
        detail = "Whoever proposed this ranking is no longer an administrator; have it proposed again."
        raise Refusal(Reason.STALE, detail, newest_version=newest.version)


def _message(published: Ranking, csv: bytes, now: datetime) -> RankingMessage:
    return RankingMessage(
        round=published.round,
        version=published.version,
        published_at=now,
        published_by=[published.proposed_by, published.confirmed_by],
        rules_digest=published.rules_digest,
        tally_digest=published.tally_digest,
        ranking_csv=csv.decode(),
    )


def states(rankings: Sequence[Ranking]) -> dict[int, str]:
    """`published`, `proposed` for the newest that is not, `draft` for older ones that never will be."""
    newest = rankings[-1].version if rankings else 0
    return {
        each.version: "published" if each.published_at else "proposed" if each.version == newest else "draft"
        for each in rankings
    }


def visible(rankings: Sequence[Ranking], sees_all: bool) -> list[Ranking]:
    """Every ranking for administrators and auditors, the published ones for everybody else."""
    return [each for each in rankings if sees_all or each.published_at is not None]

"""What can be known of a round while it runs: state and turnout; counts only once published, in `GET results` alone.

`results_document` is cached for a second; `turnout_document` and `state_document` are read by the producers of streams.
"""

from __future__ import annotations

import time
from collections import Counter
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from services.shared.clock import Clock
from services.shared.messages import TallyContent
from services.shared.postgres import Pool
from services.voting import store, tally_store
from services.voting.rounds import FrozenRound, Phase
from services.voting.stations import stations

_FRESH_S = 1.0


class Needs(Protocol):
    """What this module takes from the service's context."""

    pool: Pool
    clock: Clock
    results_cache: dict[str, tuple[float, Phase, bytes, str]]


async def results_document(context: Needs, frozen: FrozenRound) -> tuple[bytes, str]:
    """(body, ETag); at most one look at the database a second and round."""
    phase = frozen.phase(context.clock.now())
    cached = context.results_cache.get(frozen.id)
    if cached is not None and cached[1] is phase and time.monotonic() - cached[0] < _FRESH_S:
        return cached[2], cached[3]
    body = msgspec.json.encode(await _document(context, frozen, phase))
    etag = f'"{sha256(body).hexdigest()[:24]}"'
    context.results_cache[frozen.id] = (time.monotonic(), phase, body, etag)
    return body, etag


async def _document(context: Needs, frozen: FrozenRound, phase: Phase) -> dict[str, Any]:
    document: dict[str, Any] = {"state": phase, "turnout": await store.turnout(context.pool, frozen.number)}
    if phase is Phase.PUBLISHED:
        # The one that the published ranking rests on: a newer tally is nobody's to see before two people publish.
        tally = await tally_store.published(context.pool, frozen.number, frozen.message.tally_digest)
        body = await tally_store.content(context.pool, frozen.number, tally.version) if tally else None
        if body is not None:
            content = msgspec.json.decode(body, type=TallyContent)
            document |= {"turnout": content.turnout, "candidates": votes_by_candidate(content)}
    return document


async def turnout_document(context: Needs, frozen: FrozenRound) -> bytes:
    """What everybody may watch, on a big screen too: {state, opens, closes, turnout, hours: [{hour, voters}]}.

    Hours are of the round's own zone and hold totals only; nothing by candidate, unit or district, published or not.
    """
    hours = await store.turnout_by_hour(context.pool, frozen.number, str(frozen.zone))
    document = {
        "state": frozen.phase(context.clock.now()),
        "opens": frozen.opens,
        "closes": frozen.closes,
        "turnout": await store.turnout(context.pool, frozen.number),
        "hours": [{"hour": row["hour"], "voters": row["voters"]} for row in hours],
    }
    return msgspec.json.encode(document)


async def state_document(context: Needs, frozen: FrozenRound) -> bytes:
    """The same for those on duty, with ballots by state and the stations: never a candidate's count."""
    hours = await store.turnout_by_hour(context.pool, frozen.number, str(frozen.zone))
    document = {
        "phase": frozen.phase(context.clock.now()),
        "windows": {"voting": {"opens": frozen.opens, "closes": frozen.closes, "seal_due": frozen.seal_due}},
        "turnout": await store.turnout(context.pool, frozen.number),
        "turnout_by_hour": [{"hour": row["hour"], "voters": row["voters"]} for row in hours],
        "ballots": await store.ballots_by_state(context.pool, frozen.number),
        "stations": await stations.report(context.pool, frozen),
        "sealed_at": frozen.sealed_at,
        "tallies": await tally_store.versions(context.pool, frozen.number) if frozen.sealed_at else [],
        "since_seal": await tally_store.since(context.pool, frozen.number) if frozen.sealed_at else None,
        "list_confirmed_at": frozen.message.list_confirmed_at,
        "forgotten": frozen.forgotten,
    }
    return msgspec.json.encode(document)


def votes_by_candidate(content: TallyContent) -> list[dict[str, Any]]:
    """[{candidate, votes}] summed over strata, by candidate."""
    votes: Counter[str] = Counter()
    for count in content.counts:
        votes[count.candidate] += count.votes
    return [{"candidate": candidate, "votes": total} for candidate, total in sorted(votes.items())]

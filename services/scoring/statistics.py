"""The statistics beside each ranking: made once by a background step, hidden until the ranking is published.

They are computed from the marks as the service knows them, since in most public bundles an expert has another name on
each candidate; what is told names experts by pseudonyms only. Called by `app.py` (the step) and `api_rankings.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from services.scoring import statistics_store as store
from services.scoring.combination import AUDITORS_SCORES, inputs_digest, pseudonym
from services.scoring.desk import Desk
from services.scoring.panels import store as panel_store
from services.scoring.panels.conflicts import conflicts
from services.scoring.reasons import Reason
from services.scoring.records import Ranking
from services.scoring.store import ranking_files
from services.shared.errors import Refusal
from services.shared.processes import die_with_parent
from services.shared.ranking.advice import needs_expert_identity
from services.shared.ranking.bundle import parse_exclusions, parse_reveal, parse_scores, parse_votes
from services.shared.ranking.candidates import parse_candidates
from services.shared.ranking.errors import InputError
from services.shared.ranking.model import Rules
from services.shared.ranking.rules import parse_rules
from services.shared.ranking.statistics.intervals import DRAWS
from services.shared.ranking.statistics.report import Names, public_statistics, statistics_json, statistics_of
from services.shared.ranking.statistics.source import build_source

# In place of a candidate's identifier, which never holds a space: the name of an expert over the whole round.
_WHOLE_ROUND = "the whole round"
_RETRY_AFTER_S = 15
_GIVES_WAY = 10

Affiliations = Mapping[str, frozenset[str]]


async def attach_once(desk: Desk, draws: int = DRAWS) -> int:
    """Make the statistics of one ranking that lacks them; returns 1, or 0 when there is none."""
    found = await store.next_without_statistics(desk.pool)
    if found is None:
        return 0
    round_id, version = found
    files = await ranking_files(desk.pool, round_id, version)
    affiliations = await affiliations_of(desk, round_id)
    body = await made_apart(Work(round_id, files, affiliations, desk.keys.pseudonyms, draws))
    made_from = inputs_digest({name: data for name, data in files.items() if name != "ranking.csv"})
    await store.put_statistics(desk.pool, round_id, version, made_from, body)
    return 1


class Work(msgspec.Struct, frozen=True):
    """All that the statistics of one ranking are made from; `key` is that of the experts' pseudonyms."""

    round_id: str
    files: Mapping[str, bytes]
    affiliations: Affiliations
    key: bytes
    draws: int = DRAWS


async def made_apart(work: Work) -> bytes:
    """`make` in a process of its own, which gives way to everything else: thousands of rankings are seconds of
    arithmetic, and a thread of this process would slow every expert's save meanwhile.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        body, _ = await process.communicate(msgspec.msgpack.encode(work))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the statistics' process ended with {process.returncode}")
    return body


def main() -> None:
    """Reads Work, writes statistics.json."""
    die_with_parent()
    os.nice(_GIVES_WAY)
    sys.stdout.buffer.write(make(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Work)))


def make(work: Work) -> bytes:
    """Return statistics.json of a ranking's files.

    An old ranking that today's software refuses gets `{"refused": reason}`, rather than being tried for ever.
    """
    files, affiliations = work.files, work.affiliations
    try:
        rules = parse_rules(files["rules.toml"])
        candidates = parse_candidates(files["candidates.csv"])
        known = {each.candidate for each in candidates}
        votes = parse_votes(files["votes.csv"], known) if "votes.csv" in files else None
        scores = parse_scores(files[AUDITORS_SCORES]) if AUDITORS_SCORES in files else None
        exclusions = parse_exclusions(files["exclusions.csv"]) if "exclusions.csv" in files else ()
        seed = parse_reveal(files["reveal.toml"]) if "reveal.toml" in files else None
        source = build_source(rules, candidates, votes, scores, seed)
        names = _names(rules, work.round_id, work.key)

        def is_own(expert: str, candidate: str) -> bool:
            return candidate in affiliations.get(expert, frozenset())

        return statistics_json(statistics_of(source, exclusions, is_own=is_own, names=names, draws=work.draws))
    except InputError as error:
        return json.dumps({"refused": error.reason}, ensure_ascii=False).encode()


async def affiliations_of(desk: Desk, round_id: str) -> Affiliations:
    """An expert's own candidates: those that facts tie to the expert, also where two people lifted the conflict."""
    cards = (await desk.round(round_id)).message.candidates
    return conflicts(await panel_store.facts_of_experts(desk.pool, round_id), cards, frozenset())


def _names(rules: Rules, round_id: str, key: bytes) -> Names:
    """On a candidate an expert is called as in the public scores.csv; over the round by a name that leads to none."""
    linked = needs_expert_identity(rules)
    whole = "" if linked else _WHOLE_ROUND
    return Names(
        whole=lambda expert: pseudonym(key, round_id, whole, expert),
        on_candidate=lambda expert, candidate: pseudonym(key, round_id, "" if linked else candidate, expert),
    )


async def document_of(desk: Desk, rules: Rules, ranking: Ranking, sees_all: bool) -> Any:
    """The statistics as whoever asks may see them; raises Refusal `statistics_pending` until they are made.

    Where the rules publish only the selected, the public gets nothing that names another candidate.
    """
    body = await store.statistics(desk.pool, ranking.round, ranking.version)
    if body is None:
        detail = "They are made in the background after each ranking; ask again in a moment."
        raise Refusal(Reason.STATISTICS_PENDING, detail, retry_after_s=_RETRY_AFTER_S)
    document = json.loads(body)
    if sees_all or rules.publication.ranking == "all":
        return document
    rows = ranking.body["rows"]
    return public_statistics(document, {row["candidate"] for row in rows if row["outcome"] == "selected"})


async def if_made(desk: Desk, rules: Rules, ranking: Ranking, sees_all: bool) -> Any:
    """The same, or None while they are not made, and where today's software refuses an old ranking."""
    if await store.statistics(desk.pool, ranking.round, ranking.version) is None:
        return None
    document = await document_of(desk, rules, ranking, sees_all)
    return None if "refused" in document else document


if __name__ == "__main__":
    main()

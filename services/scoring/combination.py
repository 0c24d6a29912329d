"""From frozen data to a ranking and the files that prove it. Pure: no I/O, no clock, no randomness but a named key.

The ranking is computed from the very bytes that the bundle publishes, so that `pingxuan rank` on the bundle cannot
give anything else. Called by `rankings.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.scoring.records import Sheet
from services.scoring.results import all_events
from services.scoring.rounds import Round
from services.scoring.strata import merge_small
from services.shared.messages import CandidateCard, TallyContent
from services.shared.ranking.advice import needs_expert_identity
from services.shared.ranking.bundle import (
    Event,
    Exclusion,
    candidates_csv,
    events_csv,
    exclusions_csv,
    file_digests,
    parse_reveal,
    parse_scores,
    parse_votes,
    reveal_toml,
    scores_csv,
    votes_csv,
)
from services.shared.ranking.candidates import Candidate, parse_candidates
from services.shared.ranking.ranking import Ranking, Score, rank, ranking_csv
from services.shared.ranking.rules import parse_rules

AUDITORS = "auditors/"
AUDITORS_SCORES = f"{AUDITORS}scores.csv"
# Facts about the round that a ranking does not rest on: they may grow without making a proposal stale.
_TOLD_BESIDE = frozenset({"events.csv", "scores.csv"})


@dataclass(frozen=True, slots=True)
class Combined:
    """A ranking, and the files of its bundle by name (manifest.json comes at writing)."""

    ranking: Ranking
    files: Mapping[str, bytes]


def combine(files: Mapping[str, bytes]) -> Combined:
    """Rank what the files say; raises InputError where the rules refuse it."""
    rules = parse_rules(files["rules.toml"])
    candidates = parse_candidates(files["candidates.csv"])
    known = {each.candidate for each in candidates}
    votes = parse_votes(files["votes.csv"], known) if "votes.csv" in files else None
    scores = parse_scores(files["scores.csv"]) if "scores.csv" in files else None
    seed = _lots_seed(files)
    ranking = rank(rules, candidates, votes, scores, seed)
    return Combined(ranking, {**files, "ranking.csv": ranking_csv(ranking)})


def _lots_seed(files: Mapping[str, bytes]) -> str | None:
    return parse_reveal(files["reveal.toml"]) if "reveal.toml" in files else None


def input_files(
    round_: Round, tally: TallyContent | None, sheets: Sequence[Sheet], pseudonym_key: bytes
) -> dict[str, bytes]:
    """The bundle's files but the ranking: `sheets` are the submitted ones of standing candidates.

    `scores.csv` names experts by pseudonym, `auditors/scores.csv` by user name.
    """
    message = round_.message
    files = {
        "rules.toml": message.rules.encode(),
        "candidates.csv": candidates_csv(_candidate(card) for card in message.candidates),
    }
    events = all_events(round_, tally.events if tally is not None else [])
    if events:
        files["events.csv"] = events_csv(Event(each.at, each.event, each.detail) for each in events)
    if message.lots_seed:
        files["reveal.toml"] = reveal_toml(message.lots_seed)
    if tally is not None:
        files["votes.csv"] = votes_csv(_votes(round_, tally))
        if tally.exclusions:
            files["exclusions.csv"] = exclusions_csv(
                Exclusion(each.reason, each.candidate, each.day, each.ballots) for each in tally.exclusions
            )
    # Without a sheet and without a weight the experts' side is not given, rather than empty.
    if sheets or round_.rules.combination.experts:
        files["scores.csv"] = scores_csv(_public_scores(round_, sheets, pseudonym_key))
        files[AUDITORS_SCORES] = scores_csv(_scores(sheets))
    return files


def _candidate(card: CandidateCard) -> Candidate:
    return Candidate(card.candidate, card.title, card.unit, card.channel, card.category, card.level, card.withdrawn_at)


def _votes(round_: Round, tally: TallyContent) -> dict[tuple[str, str], int]:
    """Counts by candidate and stratum; a candidate without a vote has a row that says 0."""
    counts: dict[tuple[str, str], int] = {}
    for each in tally.counts:
        key = (each.candidate, each.stratum)
        counts[key] = counts.get(key, 0) + each.votes
    rules = round_.rules
    counts = merge_small(counts, tally.strata, rules.publication.small_group_min, rules.ballot.choices_max)
    voted = {candidate for candidate, _ in counts}
    return counts | {(card.candidate, ""): 0 for card in round_.message.candidates if card.candidate not in voted}


def _scores(sheets: Iterable[Sheet]) -> list[Score]:
    return [
        Score(sheet.expert, sheet.candidate, criterion, Fraction(mark))
        for sheet in sheets
        for criterion, mark in sheet.marks.items()
    ]


def _public_scores(round_: Round, sheets: Iterable[Sheet], key: bytes) -> list[Score]:
    linked = needs_expert_identity(round_.rules)
    return [
        score._replace(expert=pseudonym(key, round_.id, "" if linked else score.candidate, score.expert))
        for score in _scores(sheets)
    ]


def pseudonym(key: bytes, round_id: str, candidate: str, expert: str) -> str:
    """An expert's name on one candidate (`candidate` "": on all); only the key's holder can link two of them."""
    told = "\n".join((round_id, candidate, expert)).encode()
    drawn = base64.b32encode(hmac.digest(key, told, "sha256"))[:10].decode().lower()
    return f"e-{drawn}"


def inputs_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over what a ranking rests on: equal digests mean that computing again gives the same result."""
    resting = {name: data for name, data in files.items() if name not in _TOLD_BESIDE}
    return hashlib.sha256(json.dumps(file_digests(resting), sort_keys=True).encode()).hexdigest()


def sheets_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the submitted marks with the experts' user names; "" where the experts' side is not given."""
    scores = files.get(AUDITORS_SCORES)
    return "" if scores is None else hashlib.sha256(scores).hexdigest()

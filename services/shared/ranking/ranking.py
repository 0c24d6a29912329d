"""The ranking itself: votes and marks combined by the frozen rules, group by group.

`rank` is the one function that scoring calls to make a result and that `pingxuan rank` calls to check it; the same
input gives the same bytes everywhere. Rounding happens only where a rule names decimals.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.shared.ranking.candidates import FILE as CANDIDATES_FILE
from services.shared.ranking.candidates import Candidate, group_of, group_values, places_key
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.expert_scores import ExpertScore, expert_scores
from services.shared.ranking.marks import build_marks
from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import print_number, round_fraction
from services.shared.ranking.ordering import Place, Standing, order
from services.shared.ranking.result import Fallback, Ranking, Row, TieBreak, ranking_csv
from services.shared.ranking.scores import Score
from services.shared.ranking.selection import Outcome, select
from services.shared.ranking.transforms import transform_experts, transform_votes
from services.shared.ranking.votes import VoteCounts, check_votes

__all__ = ["Fallback", "InputError", "Ranking", "Row", "Score", "TieBreak", "rank", "ranking_csv"]


@dataclass(frozen=True, slots=True)
class _Round:
    """What every group of the round is computed from."""

    rules: Rules
    candidates: Mapping[str, Candidate]
    votes: VoteCounts | None
    strata: tuple[str, ...]
    scores: Mapping[str, ExpertScore] | None
    lots_seed: str | None


def rank(
    rules: Rules,
    candidates: Sequence[Candidate],
    votes: VoteCounts | None,
    scores: Sequence[Score] | None,
    lots_seed: str | None = None,
    score_lines: Sequence[int] | None = None,
) -> Ranking:
    """Rank the candidates; `votes` maps (candidate, stratum) to counted votes, absent pairs count 0.

    One of the two sides may be None, and then gives nobody points. `score_lines[i]` is the line of `scores[i]` in its
    file, for errors. Raises InputError for anything the rules refuse.
    """
    if votes is None and scores is None:
        raise InputError("the bundle", None, "has neither votes nor scores; add votes.csv, ballots.csv or scores.csv")
    check_seed(rules, lots_seed)
    standing = {each.candidate: each for each in candidates if each.withdrawn_at is None}
    groups = groups_of(standing.values(), rules)
    if votes is not None:
        check_votes(votes, {each.candidate for each in candidates})
    experts = None
    if scores is not None:
        withdrawn = {each.candidate for each in candidates} - standing.keys()
        known = standing.keys() | withdrawn
        marks = build_marks(scores, rules.criteria, known, withdrawn, score_lines)
        experts = expert_scores(marks, rules, groups)
    return rank_scored(rules, candidates, votes, experts, lots_seed)


def rank_scored(
    rules: Rules,
    candidates: Sequence[Candidate],
    votes: VoteCounts | None,
    scores: Mapping[str, ExpertScore] | None,
    lots_seed: str | None = None,
) -> Ranking:
    """Rank candidates whose experts' side is aggregated already; everything else as in `rank`, input checked before."""
    standing = {each.candidate: each for each in candidates if each.withdrawn_at is None}
    groups = groups_of(standing.values(), rules)
    whole = _Round(rules, standing, votes, _strata(votes, standing), scores, lots_seed)
    rows = tuple(row for group, members in groups.items() for row in _rank_group(whole, group, members))
    return Ranking(
        rules_digest=rules.digest,
        rows=rows,
        fallbacks=_fallbacks(rows, rules),
        tie_breaks=tuple(TieBreak(row.group, row.candidate, row.tie_break) for row in rows if row.tie_break),
        notes=_notes(whole, rows),
        published_outcomes=("selected",) if rules.publication.ranking == "selected" else ("selected", "reserve", ""),
    )


def check_seed(rules: Rules, lots_seed: str | None) -> None:
    """Refuse a seed that is not the one committed to."""
    commitment = rules.combination.lots_commitment
    if lots_seed is None or not commitment:
        return
    if hashlib.sha256(lots_seed.encode()).hexdigest() != commitment:
        reason = "lots_seed does not have the SHA-256 that lots_commitment of rules.toml names; give the true seed"
        raise InputError("reveal.toml", None, reason)


def groups_of(candidates: Iterable[Candidate], rules: Rules) -> dict[str, list[str]]:
    """Return the standing candidates of each group, both in code point order; raises InputError for a missing key."""
    groups: dict[str, list[str]] = {}
    for each in sorted(candidates, key=lambda candidate: candidate.candidate):
        if not all(group_values(each, rules)):
            keys = ", ".join(rules.groups.by)
            reason = f"candidate {shown(each.candidate)} lacks one of {keys}, by which [groups] splits; fill it in"
            raise InputError(CANDIDATES_FILE, None, reason)
        groups.setdefault(group_of(each, rules), []).append(each.candidate)
    return dict(sorted(groups.items()))


def _strata(votes: VoteCounts | None, standing: Mapping[str, Candidate]) -> tuple[str, ...]:
    """A stratum is there when it has a counted vote, however the votes were written down."""
    counted = (votes or {}).items()
    return tuple(sorted({stratum for (candidate, stratum), count in counted if count and candidate in standing}))


def _rank_group(whole: _Round, group: str, members: Sequence[str]) -> list[Row]:
    rules = whole.rules
    vote_points = _vote_points(whole, members)
    expert_points = _expert_points(whole, members)
    standings = {
        candidate: Standing(
            candidate=candidate,
            total=_total(vote_points.get(candidate), expert_points.get(candidate), rules),
            expert_points=expert_points.get(candidate, Fraction(0)),
            votes=_votes_of(whole, candidate) or 0,
            aggregates=_scored(whole, candidate).aggregates,
        )
        for candidate in members
    }
    places = order(list(standings.values()), rules, whole.lots_seed)
    outcomes = _outcomes(whole, places, standings)
    rows = [
        _row(whole, group, place, standings[place.candidate].total, vote_points, expert_points, outcome)
        for place, outcome in zip(places, outcomes, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.place, row.candidate))


def _vote_points(whole: _Round, members: Sequence[str]) -> dict[str, Fraction]:
    """Return the rounded vote points of a group; nothing where no votes are given."""
    if whole.votes is None:
        return {}
    rule, votes = whole.rules.votes, whole.votes
    if rule.per == "all":
        points = transform_votes([_votes_of(whole, candidate) or 0 for candidate in members], rule)
    else:
        points = [Fraction(0)] * len(members)
        for stratum in whole.strata:
            inside = transform_votes([votes.get((candidate, stratum), 0) for candidate in members], rule)
            points = [sum_so_far + more for sum_so_far, more in zip(points, inside, strict=True)]
    rounding = whole.rules.combination.rounding
    rounded = (round_fraction(each, rule.decimals, rounding) for each in points)
    return dict(zip(members, rounded, strict=True))


def _votes_of(whole: _Round, candidate: str) -> int | None:
    votes = whole.votes
    return None if votes is None else sum(votes.get((candidate, stratum), 0) for stratum in whole.strata)


def _expert_points(whole: _Round, members: Sequence[str]) -> dict[str, Fraction]:
    """Return the rounded expert points of those of a group who have marks; the others stay out of the transform."""
    if whole.scores is None:
        return {}
    combination = whole.rules.combination
    marked = [candidate for candidate in members if candidate in whole.scores]
    points = transform_experts([whole.scores[candidate].score for candidate in marked], combination.experts_transform)
    rounded = (round_fraction(each, combination.experts_decimals, combination.rounding) for each in points)
    return dict(zip(marked, rounded, strict=True))


def _total(vote_points: Fraction | None, expert_points: Fraction | None, rules: Rules) -> Fraction:
    combination = rules.combination
    total = combination.votes * (vote_points or 0) + combination.experts * (expert_points or 0)
    return round_fraction(Fraction(total), combination.decimals, combination.rounding)


_NO_SHEETS = ExpertScore(score=Fraction(0), sheets=0)


def _scored(whole: _Round, candidate: str) -> ExpertScore:
    return (whole.scores or {}).get(candidate, _NO_SHEETS)


def _outcomes(whole: _Round, places: Sequence[Place], standings: Mapping[str, Standing]) -> list[Outcome]:
    rule = whole.rules.selection
    if rule is None:
        return [""] * len(places)
    count = rule.places.get(places_key(whole.candidates[places[0].candidate], whole.rules), 0)
    totals = [standings[place.candidate].total for place in places]
    return select([place.place for place in places], totals, count, rule)


def _row(
    whole: _Round,
    group: str,
    place: Place,
    total: Fraction,
    vote_points: Mapping[str, Fraction],
    expert_points: Mapping[str, Fraction],
    outcome: Outcome,
) -> Row:
    rules, candidate = whole.rules, place.candidate
    combination, scored = rules.combination, _scored(whole, candidate)

    def text(number: Fraction | None, decimals: int | None) -> str:
        return "" if number is None else print_number(number, decimals, combination.rounding)

    votes, experts = vote_points.get(candidate), expert_points.get(candidate)
    return Row(
        group=group,
        place=place.place,
        candidate=candidate,
        total=total,
        vote_points=votes,
        expert_points=experts,
        tie_break=place.tie_break,
        outcome=outcome,
        total_text=text(total, combination.decimals),
        vote_points_text=text(votes, rules.votes.decimals),
        expert_points_text=text(experts, combination.experts_decimals),
        votes=_votes_of(whole, candidate),
        sheets=scored.sheets,
        aggregates=scored.aggregates,
        components=scored.components,
        dropped=scored.dropped,
        fell_back=scored.fell_back,
    )


def _fallbacks(rows: Sequence[Row], rules: Rules) -> tuple[Fallback, ...]:
    experts = rules.experts
    return tuple(
        Fallback(row.group, row.candidate, row.sheets, experts.panel_min, experts.fallback)
        for row in rows
        if row.fell_back
    )


def _notes(whole: _Round, rows: Sequence[Row]) -> tuple[str, ...]:
    """Say what a reader of the bare table could miss."""
    combination, notes = whole.rules.combination, []
    if whole.votes is None and combination.votes > 0:
        notes.append("votes have a weight and none are given: vote points are empty and count 0")
    if whole.scores is None and combination.experts > 0:
        notes.append("experts have a weight and no scores are given: expert points are empty and count 0")
    if whole.scores is not None:
        bare = [row.candidate for row in rows if row.sheets == 0]
        notes += [f"{candidate} has no marks: its expert points are empty and count 0" for candidate in bare]
    if "lots" in combination.tie_break and whole.lots_seed is None and _shares_a_place(rows):
        notes.append("lots decide ties and no seed is revealed: those equal until then share a place")
    if whole.lots_seed is not None and "lots" in combination.tie_break and not combination.lots_commitment:
        notes.append("the seed of the lots was not committed to in the rules")
    return tuple(notes)


def _shares_a_place(rows: Sequence[Row]) -> bool:
    return len({(row.group, row.place) for row in rows}) < len(rows)

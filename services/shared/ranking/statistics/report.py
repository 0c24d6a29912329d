"""All statistics of a ranking as one value, and the file `statistics.json` made of it; the same bytes everywhere.

`pingxuan rank --statistics` makes it from a bundle, the scoring service from its own files, which know more: in most
bundles an expert has another name on each candidate, and what needs the same name on several is then left empty.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from typing import Any, Final

from services.shared.ranking.advice import nominal_weights
from services.shared.ranking.bundle import Bundle, Exclusion
from services.shared.ranking.numbers import print_number
from services.shared.ranking.result import Row
from services.shared.ranking.statistics.affiliation import AffiliationTest, affiliation_test
from services.shared.ranking.statistics.draws import Draws
from services.shared.ranking.statistics.experts import (
    Agreement,
    ExpertHabit,
    OutlyingMark,
    agreement,
    habits,
    outlying,
)
from services.shared.ranking.statistics.intervals import DRAWS, Intervals, draws_for, rank_intervals
from services.shared.ranking.statistics.own_sheets import OwnSheet, own_sheets
from services.shared.ranking.statistics.sensitivity import (
    Crossing,
    Variant,
    crossings,
    leader_doubled,
    other_aggregates,
    other_weights,
    variant,
    without_each_expert,
)
from services.shared.ranking.statistics.source import Source, build_source, parts_of
from services.shared.ranking.weights import effective_weights, weights_apart

SCHEMA: Final = 1
DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class DroppedMark:
    """A mark that trimming left out; `criterion` "" means the whole sheet."""

    criterion: str
    expert: str
    mark: Fraction


@dataclass(frozen=True, slots=True)
class CandidateMarks:
    """One candidate's experts' side: aggregates by criterion, the marks that were dropped, whether it fell back."""

    group: str
    candidate: str
    sheets: int
    aggregates: Mapping[str, Fraction]
    dropped: tuple[DroppedMark, ...]
    fell_back: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A part's weight as written and as it works; `apart`: they differ by more than a third of the nominal one."""

    part: str
    nominal: Fraction
    effective: Fraction | None
    apart: bool


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything published beside a ranking. `experts_linked`: an expert has one name on all candidates.

    `affiliation` is None where nobody's affiliation is known, or nobody marked one of their own.
    """

    schema: int
    rules_digest: str
    seed: str
    experts_linked: bool
    marks: tuple[CandidateMarks, ...]
    agreement: tuple[Agreement, ...]
    experts: tuple[ExpertHabit, ...]
    outlying: tuple[OutlyingMark, ...]
    affiliation: AffiliationTest | None
    weights: tuple[Weight, ...]
    intervals: Intervals
    sensitivity: tuple[Variant, ...]
    crossings: tuple[Crossing, ...]
    own_sheets: tuple[OwnSheet, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What experts are called in what is published: over the whole round, and on one candidate (expert, candidate)."""

    whole: Callable[[str], str] = lambda expert: expert
    on_candidate: Callable[[str, str], str] = lambda expert, _: expert


def statistics_of(
    source: Source,
    exclusions: Sequence[Exclusion] = (),
    *,
    is_own: Callable[[str, str], bool] | None = None,
    names: Names | None = None,
    draws: int = DRAWS,
    progress: Callable[[int], None] | None = None,
) -> Statistics:
    """Compute everything; `is_own(expert, candidate)` tells where an expert belongs, None where nobody knows.

    The seed is the digest of the rules, which nobody could choose after the votes. Nearly all time goes into the draws
    of the rank intervals: `progress` is told the number of each, and may raise to end it.
    """
    named, seed = names or Names(), f"{source.rules.digest}:statistics"
    variants = _variants(source, exclusions)
    return Statistics(
        schema=SCHEMA,
        rules_digest=source.rules.digest,
        seed=seed,
        experts_linked=source.experts_linked,
        marks=tuple(_candidate_marks(source, row, named) for row in source.ranking.rows if row.sheets),
        agreement=_agreement(source),
        experts=_habits(source, named),
        outlying=_outlying(source, named),
        affiliation=_affiliation(source, is_own, seed),
        weights=_weights(source),
        intervals=rank_intervals(source, Draws(f"{seed}:places"), draws_for(source, draws), progress),
        sensitivity=_renamed(variants, named),
        crossings=tuple(crossings(source)),
        own_sheets=tuple(own_sheets(source)),
    )


def statistics_of_bundle(
    bundle: Bundle, *, draws: int = DRAWS, progress: Callable[[int], None] | None = None
) -> Statistics:
    """Compute the statistics of a published bundle; raises InputError as ranking it does."""
    rows = bundle.score_rows
    scores, lines = (None, None) if rows is None else (rows.scores, rows.lines)
    source = build_source(bundle.rules, bundle.candidates, bundle.votes, scores, bundle.lots_seed, lines)
    return statistics_of(source, bundle.exclusions, draws=draws, progress=progress)


def _candidate_marks(source: Source, row: Row, names: Names) -> CandidateMarks:
    criteria = [criterion.id for criterion in source.rules.criteria]
    dropped = (
        DroppedMark(each.criterion, names.on_candidate(each.expert, row.candidate), each.value) for each in row.dropped
    )
    return CandidateMarks(
        group=row.group,
        candidate=row.candidate,
        sheets=row.sheets,
        aggregates=dict(zip(criteria, row.aggregates, strict=False)),
        dropped=tuple(sorted(dropped, key=lambda each: (each.criterion, each.mark, each.expert))),
        fell_back=row.fell_back,
    )


def _agreement(source: Source) -> tuple[Agreement, ...]:
    if source.marks is None:
        return ()
    return tuple(
        agreement(group, part, source.experts_linked)
        for group, members in source.groups.items()
        for part in parts_of(source.marks, set(members))
        if part.values
    )


def _habits(source: Source, names: Names) -> tuple[ExpertHabit, ...]:
    if source.marks is None or not source.experts_linked:
        return ()
    return tuple(
        habit
        for group, members in source.groups.items()
        for part in parts_of(source.marks, set(members))
        # Sorted by the published name: the order of the true ones would give them away.
        for habit in sorted(
            (replace(each, expert=names.whole(each.expert)) for each in habits(group, part)),
            key=lambda each: each.expert,
        )
    )


def _outlying(source: Source, names: Names) -> tuple[OutlyingMark, ...]:
    if source.marks is None:
        return ()
    found = (
        replace(each, expert=names.on_candidate(each.expert, each.candidate))
        for group, members in source.groups.items()
        for part in parts_of(source.marks, set(members))
        for each in outlying(group, part)
    )
    return tuple(sorted(found, key=lambda each: (each.group, each.candidate, each.criterion, each.expert)))


def _affiliation(source: Source, is_own: Callable[[str, str], bool] | None, seed: str) -> AffiliationTest | None:
    if source.marks is None or is_own is None or not source.experts_linked:
        return None
    whole = parts_of(source.marks, set(source.marks.sheets))[0]
    return affiliation_test(whole, is_own, Draws(f"{seed}:affiliation"))


def _weights(source: Source) -> tuple[Weight, ...]:
    nominal, effective = nominal_weights(source.rules), effective_weights(source.rules, source.ranking)
    apart = weights_apart(nominal, effective)
    return tuple(Weight(part, weight, effective.get(part), part in apart) for part, weight in nominal.items())


def _variants(source: Source, exclusions: Sequence[Exclusion]) -> list[Variant]:
    found = [
        *other_weights(source),
        *without_each_expert(source),
        *other_aggregates(source),
        *leader_doubled(source),
    ]
    votes = source.votes
    if votes is not None and exclusions:
        counted = dict(votes)
        for each in exclusions:
            key = (each.candidate, "")
            counted[key] = counted.get(key, 0) + each.ballots
        # Which stratum an excluded ballot came from is not published, so that nobody can count it there.
        if source.rules.votes.per == "all":
            total = str(sum(each.ballots for each in exclusions))
            found.append(variant(source, "excluded_counted", total, lambda: source.again(votes=counted)))
    return found


def _renamed(variants: Iterable[Variant], names: Names) -> tuple[Variant, ...]:
    without = [each for each in variants if each.kind == "without_expert"]
    renamed = [replace(each, value=names.whole(each.value)) for each in without]
    others = [each for each in variants if each.kind != "without_expert"]
    return (*others, *sorted(renamed, key=lambda each: each.value))


def statistics_json(statistics: Statistics) -> bytes:
    """Return statistics.json: keys sorted, numbers that are not counts as text with six decimals, rounded half up."""
    return (json.dumps(_plain(statistics), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _plain(value: Any) -> Any:
    """Turn records into objects, fractions into text."""
    if isinstance(value, Fraction):
        return print_number(value, DECIMALS, "half_up")
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


_NAMES_A_CANDIDATE: Final = ("candidate", "other", "winner")


def public_statistics(document: Any, candidates: Iterable[str]) -> Any:
    """Return the document without what names other candidates, for rules that publish only the selected ones."""
    kept = {"", *candidates}

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: told(each) for key, each in value.items()}
        if isinstance(value, list):
            return [told(each) for each in value if not (isinstance(each, dict) and _names_another(each, kept))]
        return value

    return told(document)


def _names_another(each: Mapping[str, Any], kept: set[str]) -> bool:
    names = [each[key] for key in _NAMES_A_CANDIDATE if isinstance(each.get(key), str)]
    if each.get("kind") == "leader_doubled":
        names.append(each["value"])
    return any(name not in kept for name in names)

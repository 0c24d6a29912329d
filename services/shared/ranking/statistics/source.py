"""What all statistics of one round are computed from: the frozen input, checked once, and the ranking that it gave."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from services.shared.ranking.candidates import Candidate
from services.shared.ranking.expert_scores import ExpertScore, expert_scores
from services.shared.ranking.marks import Marks, Sheet, build_marks
from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import common_denominator
from services.shared.ranking.ranking import groups_of, rank_scored
from services.shared.ranking.result import Ranking, Row
from services.shared.ranking.scores import Score
from services.shared.ranking.votes import VoteCounts

SHEET: Final = ""  # the name of the part that is the whole weighted sheet; every other part is a criterion


@dataclass(frozen=True, slots=True)
class Source:
    """A round's data and its ranking; `marks` are those of standing candidates, None where no scores are given."""

    rules: Rules
    candidates: tuple[Candidate, ...]
    votes: VoteCounts | None
    marks: Marks | None
    scores: Mapping[str, ExpertScore] | None
    groups: Mapping[str, Sequence[str]]
    ranking: Ranking
    lots_seed: str | None

    @property
    def experts_linked(self) -> bool:
        """Whether an expert has one name on several candidates, or there is only one candidate to mark."""
        if self.marks is None:
            return False
        sheets = sum(len(of_candidate) for of_candidate in self.marks.sheets.values())
        return len(self.marks.sheets) < 2 or sheets > len({expert for expert, _, _ in self.marks.by_expert()})

    def experts(self) -> list[str]:
        """Return everybody who marked a standing candidate, in code point order."""
        return [] if self.marks is None else sorted({expert for expert, _, _ in self.marks.by_expert()})

    def rows_by_group(self) -> dict[str, list[Row]]:
        """Return the rows of each group that has any, best first."""
        found: dict[str, list[Row]] = {}
        for row in self.ranking.rows:
            found.setdefault(row.group, []).append(row)
        return found

    def again(
        self,
        rules: Rules | None = None,
        votes: VoteCounts | None = None,
        scores: Mapping[str, ExpertScore] | None = None,
    ) -> Ranking:
        """Rank once more with something changed."""
        return rank_scored(
            rules or self.rules,
            self.candidates,
            self.votes if votes is None else votes,
            self.scores if scores is None else scores,
            self.lots_seed,
        )

    def rescored(self, rules: Rules, without: Collection[str] = ()) -> dict[str, ExpertScore]:
        """Aggregate the marks again by other rules or without some experts; raises InputError where rules refuse."""
        assert self.marks is not None
        kept = {
            candidate: {expert: sheet for expert, sheet in sheets.items() if expert not in without}
            for candidate, sheets in self.marks.sheets.items()
        }
        marks = replace(self.marks, sheets={candidate: sheets for candidate, sheets in kept.items() if sheets})
        return expert_scores(marks, rules, self.groups)


def build_source(
    rules: Rules,
    candidates: Sequence[Candidate],
    votes: VoteCounts | None,
    scores: Sequence[Score] | None,
    lots_seed: str | None = None,
    score_lines: Sequence[int] | None = None,
) -> Source:
    """Check and rank as `rank` does and keep what it was made of; raises the same InputErrors."""
    standing = [each for each in candidates if each.withdrawn_at is None]
    groups = groups_of(standing, rules)
    marks, experts = None, None
    if scores is not None:
        known = {each.candidate for each in candidates}
        marks = build_marks(scores, rules.criteria, known, known - {each.candidate for each in standing}, score_lines)
        experts = expert_scores(marks, rules, groups)
    ranking = rank_scored(rules, candidates, votes, experts, lots_seed)
    return Source(rules, tuple(candidates), votes, marks, experts, groups, ranking, lots_seed)


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion's marks, or the weighted sheets: candidate → expert → whole number over `denominator`."""

    name: str
    values: Mapping[str, Mapping[str, int]]
    denominator: int


def parts_of(marks: Marks, members: Collection[str]) -> list[Part]:
    """Return the weighted sheets and then each criterion, of some candidates; marks as given, before adjusting."""
    weights = [
        criterion.weight / denominator
        for criterion, denominator in zip(marks.criteria, marks.denominators, strict=True)
    ]
    factors, denominator = common_denominator(weights) if weights else ([], 1)
    sheets = {name: of_name for name, of_name in marks.sheets.items() if name in members}

    def total(sheet: Sheet) -> int:
        return sum(factor * mark for factor, mark in zip(factors, sheet, strict=True))

    whole = {name: {expert: total(sheet) for expert, sheet in of.items()} for name, of in sheets.items()}
    parts = [Part(SHEET, whole, denominator)]
    for k, criterion in enumerate(marks.criteria):
        column = {name: {expert: sheet[k] for expert, sheet in of.items()} for name, of in sheets.items()}
        parts.append(Part(criterion.id, column, marks.denominators[k]))
    return parts


def fraction_of(part: Part, value: int) -> Fraction:
    """Return a value of a part as the number it stands for."""
    return Fraction(value, part.denominator)

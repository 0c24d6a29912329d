"""Small rounds for the tests of the ranking core: rules from a few lines, candidates and marks from dicts."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from services.shared.ranking.candidates import Candidate
from services.shared.ranking.model import Rules
from services.shared.ranking.ranking import Ranking, Row, rank
from services.shared.ranking.rules import parse_rules
from services.shared.ranking.scores import Score

HEAD = 'schema = 1\n[round]\nid = "test"\n'
ONE_CRITERION = '[[criteria]]\nid = "idea"\nweight = "1"\n'


def rules_of(*sections: str) -> Rules:
    """Parse rules made of the given sections; [combination] is added where none is given."""
    text = HEAD + "\n".join(sections)
    if "[combination]" not in text:
        text += "\n[combination]\n"
    return parse_rules(text.encode())


def candidates_of(*names: str, level: str = "major") -> tuple[Candidate, ...]:
    """Return candidates of one group."""
    return tuple(Candidate(name, f"title {name}", "unit", "district", "other", level) for name in names)


def marks_of(table: Mapping[str, Mapping[str, Sequence[int | str]]], *criteria: str) -> list[Score]:
    """Turn {expert: {candidate: [mark per criterion]}} into scores; one criterion is called `idea`."""
    names = criteria or ("idea",)
    return [
        Score(expert, candidate, criterion, Fraction(mark))
        for expert, sheets in table.items()
        for candidate, marks in sheets.items()
        for criterion, mark in zip(names, marks, strict=True)
    ]


def rank_votes(rules: Rules, votes: Mapping[str, int], lots_seed: str | None = None) -> Ranking:
    """Rank candidates named by their votes, without experts."""
    counts = {(candidate, ""): count for candidate, count in votes.items()}
    return rank(rules, candidates_of(*votes), counts, None, lots_seed)


def rank_marks(rules: Rules, scores: Sequence[Score], *others: str) -> Ranking:
    """Rank the candidates that have marks, and `others` without any, without votes."""
    names = sorted({score.candidate for score in scores} | set(others))
    return rank(rules, candidates_of(*names), None, scores)


def rows_of(ranking: Ranking) -> dict[str, Row]:
    """Return the rows by candidate."""
    return {row.candidate: row for row in ranking.rows}


def vote_points(transform: str, votes: Mapping[str, int], more: str = "") -> dict[str, str]:
    """Return the printed vote points under one transform, unrounded."""
    rules = rules_of(f'[votes]\ntransform = "{transform}"\n{more}', '[combination]\nvotes = "1"\n')
    return {name: row.vote_points_text for name, row in rows_of(rank_votes(rules, votes)).items()}

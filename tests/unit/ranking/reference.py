"""The method written down a second time, as plainly and slowly as possible, to compare the real one with.

Covers [experts] in full: every mark is a fraction, every step a line of the definition; nothing is shared with the code
under test but the rounding.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from services.shared.ranking.model import Criterion, Experts, Rules
from services.shared.ranking.numbers import round_fraction, square_root
from services.shared.ranking.scores import Score

Table = dict[tuple[str, str], dict[str, Fraction]]  # (candidate, expert) → criterion → mark


def reference_scores(rules: Rules, scores: Sequence[Score]) -> dict[str, Fraction]:
    """Return each candidate's expert score before the transform of [combination]; one group."""
    table: Table = {}
    for score in scores:
        table.setdefault((score.candidate, score.expert), {})[score.criterion] = score.score
    for criterion in rules.criteria:
        marks = {key: sheet[criterion.id] for key, sheet in table.items()}
        for key, mark in _adjusted(marks, rules.experts).items():
            table[key][criterion.id] = mark
    candidates = sorted({candidate for candidate, _ in table})
    if rules.experts.aggregate == "rank_points":
        return _rank_points(rules, table, candidates)
    if rules.experts.order == "sheet_first":
        return {name: _rounded(_aggregate(_sheets(rules, table, name), rules.experts), rules) for name in candidates}
    return {name: sum((_component(rules, table, name, c) for c in rules.criteria), Fraction(0)) for name in candidates}


def _component(rules: Rules, table: Table, candidate: str, criterion: Criterion) -> Fraction:
    marks = [sheet[criterion.id] for (name, _), sheet in table.items() if name == candidate]
    weighted = _rounded(_aggregate(marks, rules.experts), rules) * criterion.weight
    return round_fraction(weighted, rules.experts.component_decimals, rules.combination.rounding)


def _rounded(value: Fraction, rules: Rules) -> Fraction:
    return round_fraction(value, rules.experts.aggregate_decimals, rules.combination.rounding)


def _weighted(rules: Rules, sheet: Mapping[str, Fraction]) -> Fraction:
    total = sum((c.weight * sheet[c.id] for c in rules.criteria), Fraction(0))
    return round_fraction(total, rules.experts.component_decimals, rules.combination.rounding)


def _sheets(rules: Rules, table: Table, candidate: str) -> list[Fraction]:
    return [_weighted(rules, sheet) for (name, _), sheet in table.items() if name == candidate]


def _aggregate(marks: list[Fraction], experts: Experts) -> Fraction:
    how: str = experts.aggregate
    if how == "trimmed_mean":
        if len(marks) >= experts.panel_min:
            kept = sorted(marks)[experts.trim_low : len(marks) - experts.trim_high]
            return sum(kept, Fraction(0)) / len(kept)
        how = experts.fallback
    if how == "median":
        ordered = sorted(marks)
        return (ordered[(len(marks) - 1) // 2] + ordered[len(marks) // 2]) / 2
    return sum(marks, Fraction(0)) / (1 if how == "sum" else len(marks))


def _rank_points(rules: Rules, table: Table, candidates: Sequence[str]) -> dict[str, Fraction]:
    points = [*rules.experts.points, *[Fraction(0)] * len(candidates)]
    totals = dict.fromkeys(candidates, Fraction(0))
    for expert in {expert for _, expert in table}:
        own = {name: _weighted(rules, sheet) for (name, judge), sheet in table.items() if judge == expert}
        for name, value in own.items():
            better = sum(other > value for other in own.values())
            equal = sum(other == value for other in own.values())
            totals[name] += sum(points[better : better + equal], Fraction(0)) / equal
    return {name: _rounded(total, rules) for name, total in totals.items()}


def _adjusted(marks: dict[tuple[str, str], Fraction], experts: Experts) -> dict[tuple[str, str], Fraction]:
    if experts.adjust == "z_score":
        return _z_scores(marks)
    return _additive(marks, experts.ridge) if experts.adjust == "additive" else marks


def _moments(values: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    mean = sum(values, Fraction(0)) / len(values)
    return mean, square_root(sum(((value - mean) ** 2 for value in values), Fraction(0)) / len(values))


def _z_scores(marks: dict[tuple[str, str], Fraction]) -> dict[tuple[str, str], Fraction]:
    mean_all, deviation_all = _moments(list(marks.values()))
    found = {}
    for key, mark in marks.items():
        mean, deviation = _moments([other for (_, expert), other in marks.items() if expert == key[1]])
        found[key] = mean_all + deviation_all * (mark - mean) / deviation if deviation else mean_all
    return found


def _additive(marks: dict[tuple[str, str], Fraction], ridge: Fraction) -> dict[tuple[str, str], Fraction]:
    """Solve the normal equations of `Σ (mark − level_p − offset_e)² + ridge · Σ offset_e²` for all unknowns at once."""
    unknowns = sorted({("p", p) for p, _ in marks} | {("e", e) for _, e in marks})
    at = {unknown: position for position, unknown in enumerate(unknowns)}
    rows = [[Fraction(0)] * (len(unknowns) + 1) for _ in unknowns]
    for (p, e), mark in marks.items():
        for own, other in ((at["p", p], at["e", e]), (at["e", e], at["p", p])):
            rows[own][own] += 1
            rows[own][other] += 1
            rows[own][-1] += mark
    for kind, name in unknowns:
        rows[at[kind, name]][at[kind, name]] += ridge if kind == "e" else 0
    solution = _gauss(rows)
    return {(p, e): mark - solution[at["e", e]] for (p, e), mark in marks.items()}


def _gauss(rows: list[list[Fraction]]) -> list[Fraction]:
    for column in range(len(rows)):
        pivot = next(i for i in range(column, len(rows)) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(len(rows)):
            if i != column:
                rows[i] = [a - rows[i][column] * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[-1] for row in rows]

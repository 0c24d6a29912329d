"""Making experts comparable before their marks are aggregated: each adjustment is a line per expert and criterion.

An adjusted mark is `offset + factor · mark`. The lines are exact and computed once from all marks of the round, over
all groups, since an expert's severity does not depend on who else stands in the group. Nothing is clipped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.linear_system import solve
from services.shared.ranking.marks import Marks, Sheet
from services.shared.ranking.model import Experts
from services.shared.ranking.numbers import square_root
from services.shared.ranking.scores import FILE

NAMES_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One expert's adjustment on one criterion; applied to the mark itself, not to its units."""

    offset: Fraction
    factor: Fraction


# Per criterion: expert → line. None leaves every mark as it is.
Lines = tuple[Mapping[str, Line], ...] | None


def adjustment_lines(marks: Marks, experts: Experts) -> Lines:
    """Return the lines that the rules ask for; raises InputError where the marks do not carry them."""
    if experts.adjust == "none" or not marks.sheets:
        return None
    sheets: dict[str, list[tuple[str, Sheet]]] = {}
    for expert, candidate, sheet in marks.by_expert():
        sheets.setdefault(expert, []).append((candidate, sheet))
    ordered = dict(sorted(sheets.items()))
    if experts.adjust == "z_score":
        return _z_score_lines(marks, ordered, experts.marks_min)
    return _additive_lines(marks, ordered, experts.ridge)


def _z_score_lines(
    marks: Marks, sheets: Mapping[str, Sequence[tuple[str, Sheet]]], marks_min: int
) -> tuple[dict[str, Line], ...]:
    """`mean_all + sd_all · (mark − mean_expert) / sd_expert`, population deviations; sd_expert 0 gives mean_all."""
    for expert, of_expert in sheets.items():
        if len(of_expert) < marks_min:
            reason = f"expert {shown(expert)} has {len(of_expert)} marks on a criterion; z_score needs {marks_min}"
            raise InputError(FILE, marks.first_lines.get(expert), f"{reason}: take another adjust or these sheets out")
    found = []
    for position, denominator in enumerate(marks.denominators):
        units = {expert: [sheet[position] for _, sheet in of] for expert, of in sheets.items()}
        mean_all, deviation_all = _moments([unit for of in units.values() for unit in of], denominator)
        lines = {}
        for expert, own in units.items():
            mean, deviation = _moments(own, denominator)
            factor = deviation_all / deviation if deviation else Fraction(0)
            lines[expert] = Line(mean_all - factor * mean, factor)
        found.append(lines)
    return tuple(found)


def _moments(units: Sequence[int], denominator: int) -> tuple[Fraction, Fraction]:
    count, total = len(units), sum(units)
    spread = count * sum(unit * unit for unit in units) - total * total
    return Fraction(total, count * denominator), square_root(Fraction(spread, (count * denominator) ** 2))


def _additive_lines(
    marks: Marks, sheets: Mapping[str, Sequence[tuple[str, Sheet]]], ridge: Fraction
) -> tuple[dict[str, Line], ...]:
    """`mark − offset`, offsets by ridge least squares of `mark = μ + project + expert`.

    With μ + project eliminated (Schur complement), the offsets e solve, for every expert,
    `(n_e + ridge) · e − Σ_p (1/n_p) Σ_{e' on p} e' = Σ_p (mark_p − mean_p)`, p over the expert's n_e projects.
    The matrix is the same for all criteria, since sheets are complete.
    """
    _check_connected(marks, sheets)
    position_of = {expert: position for position, expert in enumerate(sheets)}
    scale = lcm(ridge.denominator, *{len(of_candidate) for of_candidate in marks.sheets.values()})
    panels = Counter(tuple(position_of[expert] for expert in of) for of in marks.sheets.values())
    matrix = [[0] * len(sheets) for _ in sheets]
    for position, of_expert in enumerate(sheets.values()):
        matrix[position][position] = int((len(of_expert) + ridge) * scale)
    for panel, count in panels.items():
        part = count * scale // len(panel)
        for i in panel:
            for j in panel:
                matrix[i][j] -= part
    solutions = solve(matrix, [_severity(marks, position_of, k, scale) for k in range(len(marks.criteria))])
    return tuple(
        {expert: Line(-offset / denominator, Fraction(1)) for expert, offset in zip(sheets, offsets, strict=True)}
        for offsets, denominator in zip(solutions, marks.denominators, strict=True)
    )


def _severity(marks: Marks, position_of: Mapping[str, int], criterion: int, scale: int) -> list[int]:
    """Return `Σ_p (mark_p − mean_p)` of each expert, in units of the criterion, times `scale`."""
    side = [0] * len(position_of)
    for of_candidate in marks.sheets.values():
        mean = sum(sheet[criterion] for sheet in of_candidate.values()) * (scale // len(of_candidate))
        for expert, sheet in of_candidate.items():
            side[position_of[expert]] += sheet[criterion] * scale - mean
    return side


def _check_connected(marks: Marks, sheets: Mapping[str, Sequence[tuple[str, Sheet]]]) -> None:
    """Experts who share no project, not even by way of others, cannot be compared."""
    components: list[list[str]] = []
    seen: set[str] = set()
    candidates_seen: set[str] = set()
    for start in sheets:
        if start in seen:
            continue
        component, waiting = [], [start]
        seen.add(start)
        while waiting:
            expert = waiting.pop()
            component.append(expert)
            new = {candidate for candidate, _ in sheets[expert]} - candidates_seen
            candidates_seen |= new
            for candidate in sorted(new):
                fresh = [other for other in marks.sheets[candidate] if other not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
        components.append(sorted(component))
    if len(components) > 1:
        parts = "; ".join(_component(component, sheets) for component in components)
        reason = f"additive cannot compare experts without common candidates; the {len(components)} parts are {parts}"
        raise InputError(FILE, marks.first_lines.get(components[1][0]), reason)


def _component(experts: Sequence[str], sheets: Mapping[str, Sequence[tuple[str, Sheet]]]) -> str:
    candidates = sorted({candidate for expert in experts for candidate, _ in sheets[expert]})
    return f"experts {_some(experts)} with candidates {_some(candidates)}"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMES_SHOWN_MAX
    return ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {rest} more" if rest > 0 else "")

"""From checked marks to each candidate's expert score, before the transform of [combination].

Two orders: per criterion first (aggregate, round, weigh, round, sum), or per sheet first (weigh and sum the sheet,
round, aggregate, round). Rank points are sheets turned into points among the candidates of one group.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from services.shared.ranking.adjust import Line, Lines, adjustment_lines
from services.shared.ranking.aggregates import aggregate
from services.shared.ranking.marks import Marks, Sheet
from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import common_denominator, round_fraction
from services.shared.ranking.transforms import rank_points


@dataclass(frozen=True, slots=True)
class Dropped:
    """A mark that trimming left out; `criterion` "" means the expert's whole sheet, `value` is as aggregated."""

    criterion: str
    expert: str
    value: Fraction


@dataclass(frozen=True, slots=True)
class ExpertScore:
    """One candidate's expert score: `score` before transforms, and what it was made of.

    `aggregates` and `components` go by criterion, in file order; both are empty where whole sheets were aggregated.
    """

    score: Fraction
    sheets: int
    aggregates: tuple[Fraction, ...] = ()
    components: tuple[Fraction, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    fell_back: bool = False


@dataclass(frozen=True, slots=True)
class PanelValues:
    """What is aggregated for one candidate, after adjusting: one value per expert and part.

    A part is a criterion, in file order, or the whole sheet (one part) where sheets are aggregated. It is the values'
    numerators, in the order of `experts`, and their common denominator. An expert may stand there more than once, for
    whoever draws panels with replacement.
    """

    experts: tuple[str, ...]
    parts: tuple[tuple[Sequence[int], int], ...]


# An expert's sheet as whole numbers: constant, coefficient per criterion, common denominator.
_Form = tuple[int, tuple[int, ...], int]


def expert_scores(marks: Marks, rules: Rules, groups: Mapping[str, Sequence[str]]) -> dict[str, ExpertScore]:
    """Return the score of every candidate that has a sheet; `groups` names the candidates of each group."""
    return {candidate: score_panel(values, rules) for candidate, values in panel_values(marks, rules, groups)}


def panel_values(marks: Marks, rules: Rules, groups: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, PanelValues]]:
    """Yield what is to be aggregated for each candidate that has a sheet."""
    lines = adjustment_lines(marks, rules.experts)
    if rules.experts.aggregate == "rank_points":
        yield from _whole_sheets(_rank_points(marks, rules, lines, groups))
    elif rules.experts.order == "sheet_first":
        yield from _whole_sheets(_sheet_totals(marks, rules, lines))
    else:
        units_of = _panel_units(marks, lines)
        for candidate, sheets in marks.sheets.items():
            yield candidate, PanelValues(tuple(sheets), tuple(units_of(k, sheets) for k in range(len(marks.criteria))))


def score_panel(values: PanelValues, rules: Rules) -> ExpertScore:
    """Aggregate one candidate's panel as [experts] says."""
    by_sheet = rules.experts.order == "sheet_first" or rules.experts.aggregate == "rank_points"
    return _by_sheet(values, rules) if by_sheet else _by_criterion(values, rules)


def _whole_sheets(totals: Mapping[str, Mapping[str, Fraction]]) -> Iterator[tuple[str, PanelValues]]:
    for candidate, of_candidate in totals.items():
        yield candidate, PanelValues(tuple(of_candidate), (common_denominator(list(of_candidate.values())),))


_PanelUnits = Callable[[int, Mapping[str, Sheet]], tuple[list[int], int]]


def _panel_units(marks: Marks, lines: Lines) -> _PanelUnits:
    """Return a function that gives a panel's adjusted marks on criterion k over one denominator."""
    known: dict[tuple[int, tuple[str, ...]], tuple[list[tuple[int, int]], int]] = {}

    def units_of(k: int, sheets: Mapping[str, Sheet]) -> tuple[list[int], int]:
        if lines is None:
            return [sheet[k] for sheet in sheets.values()], marks.denominators[k]
        panel = (k, tuple(sheets))
        if panel not in known:
            known[panel] = _over_one_denominator(lines, k, panel[1], marks.denominators[k])
        coefficients, denominator = known[panel]
        pairs = zip(coefficients, sheets.values(), strict=True)
        return [offset + factor * sheet[k] for (offset, factor), sheet in pairs], denominator

    return units_of


def _over_one_denominator(
    lines: tuple[Mapping[str, Line], ...], k: int, panel: Sequence[str], marks_denominator: int
) -> tuple[list[tuple[int, int]], int]:
    offsets = [lines[k][expert].offset for expert in panel]
    factors = [lines[k][expert].factor / marks_denominator for expert in panel]
    units, denominator = common_denominator([*offsets, *factors])
    return list(zip(units[: len(panel)], units[len(panel) :], strict=True)), denominator


def _by_criterion(values: PanelValues, rules: Rules) -> ExpertScore:
    rule, rounding = rules.experts, rules.combination.rounding
    aggregates, components, dropped, fell_back = [], [], [], False
    experts = values.experts
    for criterion, (units, denominator) in zip(rules.criteria, values.parts, strict=True):
        result = aggregate(units, denominator, rule)
        value = round_fraction(result.value, rule.aggregate_decimals, rounding)
        aggregates.append(value)
        components.append(round_fraction(value * criterion.weight, rule.component_decimals, rounding))
        dropped += [
            Dropped(criterion.id, experts[position], Fraction(units[position], denominator))
            for position in result.dropped
        ]
        fell_back = result.fell_back
    return ExpertScore(
        score=sum(components, Fraction(0)),
        sheets=len(experts),
        aggregates=tuple(aggregates),
        components=tuple(components),
        dropped=tuple(dropped),
        fell_back=fell_back,
    )


def _sheet_totals(marks: Marks, rules: Rules, lines: Lines) -> dict[str, dict[str, Fraction]]:
    """Return `Σ weight · mark` of each sheet, rounded to component_decimals."""
    forms: dict[str, _Form] = {}
    decimals, rounding = rules.experts.component_decimals, rules.combination.rounding
    totals: dict[str, dict[str, Fraction]] = {}
    for candidate, sheets in marks.sheets.items():
        of_candidate = totals.setdefault(candidate, {})
        for expert, sheet in sheets.items():
            if expert not in forms:
                forms[expert] = _form(marks, lines, expert)
            constant, coefficients, denominator = forms[expert]
            units = constant + sum(c * mark for c, mark in zip(coefficients, sheet, strict=True))
            of_candidate[expert] = round_fraction(Fraction(units, denominator), decimals, rounding)
    return totals


def _form(marks: Marks, lines: Lines, expert: str) -> _Form:
    constant, factors = Fraction(0), []
    for k, (criterion, denominator) in enumerate(zip(marks.criteria, marks.denominators, strict=True)):
        factor = Fraction(1)
        if lines is not None:
            factor = lines[k][expert].factor
            constant += criterion.weight * lines[k][expert].offset
        factors.append(criterion.weight * factor / denominator)
    common = lcm(constant.denominator, *(factor.denominator for factor in factors))
    return int(constant * common), tuple(int(factor * common) for factor in factors), common


def _by_sheet(values: PanelValues, rules: Rules) -> ExpertScore:
    [(units, denominator)] = values.parts
    result = aggregate(units, denominator, rules.experts)
    dropped = (Dropped("", values.experts[k], Fraction(units[k], denominator)) for k in result.dropped)
    return ExpertScore(
        score=round_fraction(result.value, rules.experts.aggregate_decimals, rules.combination.rounding),
        sheets=len(values.experts),
        dropped=tuple(dropped),
        fell_back=result.fell_back,
    )


def _rank_points(
    marks: Marks, rules: Rules, lines: Lines, groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Fraction]]:
    """Each expert ranks the candidates of a group by sheet; equal sheets share the average of their points."""
    totals = _sheet_totals(marks, rules, lines)
    points: dict[str, dict[str, Fraction]] = {candidate: {} for candidate in totals}
    for members in groups.values():
        for expert, ranked in _sheets_by_expert(members, totals).items():
            values = [totals[candidate][expert] for candidate in ranked]
            given = rank_points(values, rules.experts.points, "average")
            for candidate, share in zip(ranked, given, strict=True):
                points[candidate][expert] = share
    return points


def _sheets_by_expert(members: Sequence[str], totals: Mapping[str, Mapping[str, Fraction]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for candidate in members:
        for expert in totals.get(candidate, ()):
            found.setdefault(expert, []).append(candidate)
    return found

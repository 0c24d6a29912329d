"""How much each part really moves the result: effective weights of a ranking, beside the nominal ones."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import mean_of
from services.shared.ranking.ranking import Ranking, Row


def effective_weights(rules: Rules, ranking: Ranking) -> dict[str, Fraction]:
    """Return each part's share of the standard deviation of the final score, exactly.

    The total of a candidate is a sum of parts x_k (weight · points). Its standard deviation splits without rest as
    `sd(T) = Σ_k cov(x_k, T) / sd(T)`, so part k holds the share `cov(x_k, T) / var(T)`; the shares of `votes` and
    `experts` add up to 1. Deviations are from the mean of the candidate's own group, since places are. `criterion:<id>`
    splits the experts' share in the same way over the weighted components (absent where whole sheets are aggregated).
    A part may be negative: it then pulls against the result. Empty where all totals are equal.
    """
    groups: dict[str, list[Row]] = {}
    for row in ranking.rows:
        groups.setdefault(row.group, []).append(row)
    combination = rules.combination
    votes = _centred(groups, lambda row: combination.votes * (row.vote_points or 0))
    experts = _centred(groups, lambda row: combination.experts * (row.expert_points or 0))
    totals = [vote + expert for vote, expert in zip(votes, experts, strict=True)]
    variance = _product(totals, totals)
    if variance == 0:
        return {}
    shares = {"votes": _product(votes, totals) / variance, "experts": _product(experts, totals) / variance}
    return shares | _criteria_shares(rules, groups, shares["experts"])


def weights_apart(nominal: Mapping[str, Fraction], effective: Mapping[str, Fraction]) -> list[str]:
    """Return the parts whose effective weight differs from the nominal one by more than a third of it.

    `votes` and `experts` are compared by their share of both; parts without an effective weight are left out.
    """
    both = nominal["votes"] + nominal["experts"]
    shares = {part: weight / both if both else Fraction(0) for part, weight in nominal.items()}
    return [
        part for part, share in shares.items() if part in effective and 3 * abs(effective[part] - share) > abs(share)
    ]


def _criteria_shares(rules: Rules, groups: Mapping[str, Sequence[Row]], experts_share: Fraction) -> dict[str, Fraction]:
    marked = {group: [row for row in rows if row.components] for group, rows in groups.items()}
    parts = [_centred(marked, _component(k)) for k in range(len(rules.criteria))]
    scores = [sum(column, Fraction(0)) for column in zip(*parts, strict=True)]
    variance = _product(scores, scores)
    if variance == 0:
        return {}
    return {
        f"criterion:{criterion.id}": experts_share * _product(part, scores) / variance
        for criterion, part in zip(rules.criteria, parts, strict=True)
    }


def _centred(groups: Mapping[str, Sequence[Row]], part: Callable[[Row], Fraction]) -> list[Fraction]:
    """Return the part of every row less the mean of its group."""
    found: list[Fraction] = []
    for rows in groups.values():
        values = [Fraction(part(row)) for row in rows]
        if values:
            mean = mean_of(values)
            found += [value - mean for value in values]
    return found


def _product(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _component(k: int) -> Callable[[Row], Fraction]:
    return lambda row: row.components[k]

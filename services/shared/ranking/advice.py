"""What a careful reader would say about valid rules: warnings, nominal weights, what publication must keep."""

from fractions import Fraction

from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import print_number


def warnings(rules: Rules) -> list[str]:
    """Return one sentence for each thing that is allowed and yet likely a mistake."""
    return [*_about_weights(rules), *_about_votes(rules), *_about_experts(rules), *_about_the_round(rules)]


def nominal_weights(rules: Rules) -> dict[str, Fraction]:
    """Return the weights as written: `votes`, `experts`, and per criterion its part of the whole.

    The key `criterion:<id>` holds experts · weight / sum of the criteria's weights (0 where that sum is 0).
    """
    combination = rules.combination
    total = sum((criterion.weight for criterion in rules.criteria), Fraction(0))
    weights = {"votes": combination.votes, "experts": combination.experts}
    for criterion in rules.criteria:
        share = criterion.weight / total if total else Fraction(0)
        weights[f"criterion:{criterion.id}"] = combination.experts * share
    return weights


def needs_expert_identity(rules: Rules) -> bool:
    """Tell whether recomputing needs to know which sheets of different candidates are one expert's."""
    experts = rules.experts
    return experts.adjust != "none" or experts.aggregate == "rank_points" or experts.order == "sheet_first"


def _about_weights(rules: Rules) -> list[str]:
    combination, found = rules.combination, []
    both = combination.votes + combination.experts
    if both != 1:
        found.append(f"the weights of [combination] add up to {_plain(both)}, not 1; they are used as given")
    criteria = sum((criterion.weight for criterion in rules.criteria), Fraction(0))
    if rules.criteria and criteria != 1:
        found.append(f"the weights of the criteria add up to {_plain(criteria)}, not 1; they are used as given")
    if combination.experts > 0 and not rules.criteria:
        found.append("experts count and there are no criteria, so that no mark can be given")
    return found


def _about_votes(rules: Rules) -> list[str]:
    found = []
    if rules.votes.per == "stratum" and rules.ballot.stratum == "none":
        found.append('votes are transformed per stratum and ballots have none; this equals per = "all"')
    if rules.votes.transform == "t_score" and rules.combination.votes > 0:
        found.append("t_score lets bought votes squeeze all others together; t_score_log keeps their distances")
    if rules.ballot.identity == "phone_and_id":
        found.append("phone_and_id is refused at freezing unless an identity verification provider is configured")
    elif rules.ballot.persons_per_phone > 1:
        found.append('persons_per_phone above 1 has no effect without identity = "phone_and_id"')
    return found


def _about_experts(rules: Rules) -> list[str]:
    experts, found = rules.experts, []
    if experts.aggregate != "trimmed_mean" and experts.trim_low + experts.trim_high > 0:
        found.append(f"trim_low and trim_high have no effect with aggregate = {experts.aggregate}")
    if experts.aggregate == "trimmed_mean" and experts.trim_low + experts.trim_high == 0:
        found.append("trimmed_mean drops no mark; it equals mean")
    by_sheet = experts.order == "sheet_first" or experts.aggregate == "rank_points"
    links = [link for link in rules.combination.tie_break if link.startswith("criteri")]
    if by_sheet and links:
        found.append(f"tie_break {', '.join(links)} separates nobody: whole sheets are aggregated, not criteria")
    return found


def _about_the_round(rules: Rules) -> list[str]:
    found = []
    combination = rules.combination
    if "lots" in combination.tie_break and not combination.lots_commitment:
        found.append("lots decide ties and lots_commitment is empty, so that nobody can check the seed")
    if combination.lots_commitment and "lots" not in combination.tie_break:
        found.append("lots_commitment is there and lots are not in tie_break")
    windows = rules.windows
    if windows.voting is None and combination.votes > 0:
        found.append("votes count and there is no voting window")
    if windows.scoring is None and combination.experts > 0:
        found.append("experts count and there is no scoring window")
    if windows.application and windows.voting and windows.voting.opens < windows.application.closes:
        found.append("voting opens before applications close")
    return found


def _plain(number: Fraction) -> str:
    return print_number(number, None, "half_up")

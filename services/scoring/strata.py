"""Votes by stratum as they may be published. Pure; done before the ranking, because a transform per stratum must see
what the public sees."""

from collections.abc import Mapping

from services.shared.strata import REST, merged_strata


def merge_small(
    counts: Mapping[tuple[str, str], int], ballots: Mapping[str, int], ballots_min: int, choices_max: int
) -> dict[tuple[str, str], int]:
    """Votes by (candidate, stratum) with small strata merged into the unnamed one.

    `ballots` are the ballots of each stratum; a tally that does not tell them is taken for as many ballots as there
    must have been at least.
    """
    merged = merged_strata(ballots or _ballots_at_least(counts, choices_max), ballots_min)
    result: dict[tuple[str, str], int] = {}
    for (candidate, stratum), votes in counts.items():
        key = (candidate, REST if stratum in merged else stratum)
        result[key] = result.get(key, 0) + votes
    return result


def _ballots_at_least(counts: Mapping[tuple[str, str], int], choices_max: int) -> dict[str, int]:
    """The larger of the strongest candidate's votes, and all votes divided by the most choices a ballot may hold."""
    strongest: dict[str, int] = {}
    total: dict[str, int] = {}
    for (_, stratum), votes in counts.items():
        strongest[stratum] = max(strongest.get(stratum, 0), votes)
        total[stratum] = total.get(stratum, 0) + votes
    return {stratum: max(strongest[stratum], -(-total[stratum] // choices_max)) for stratum in total}

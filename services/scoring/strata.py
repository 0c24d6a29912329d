"""Strata too small to be published are merged into the rest, so that no handful of voters can be picked out.

Pure; done before the ranking, because a transform per stratum must see what the public sees.
"""

from collections.abc import Mapping

REST = ""


def merge_small(
    counts: Mapping[tuple[str, str], int], ballots_min: int, choices_max: int
) -> dict[tuple[str, str], int]:
    """Merge strata of fewer than `ballots_min` ballots into the unnamed one; keys are (candidate, stratum).

    A tally tells votes, not ballots: a stratum is taken for as many ballots as it must have had at least, the larger
    of its strongest candidate's votes and its votes divided by the most choices a ballot may hold.
    The rest itself takes in the next smallest stratum until it is large enough or alone.
    """
    ballots = _ballots_at_least(counts, choices_max)
    merged = {stratum for stratum, least in ballots.items() if least < ballots_min} | {REST}
    while True:
        result = _merge(counts, merged)
        rest = _ballots_at_least(result, choices_max).get(REST, 0)
        others = sorted((least, stratum) for stratum, least in ballots.items() if stratum not in merged)
        if rest == 0 or rest >= ballots_min or not others:
            return result
        merged.add(others[0][1])


def _ballots_at_least(counts: Mapping[tuple[str, str], int], choices_max: int) -> dict[str, int]:
    strongest: dict[str, int] = {}
    total: dict[str, int] = {}
    for (_, stratum), votes in counts.items():
        strongest[stratum] = max(strongest.get(stratum, 0), votes)
        total[stratum] = total.get(stratum, 0) + votes
    return {stratum: max(strongest[stratum], -(-total[stratum] // choices_max)) for stratum in total}


def _merge(counts: Mapping[tuple[str, str], int], merged: set[str]) -> dict[tuple[str, str], int]:
    result: dict[tuple[str, str], int] = {}
    for (candidate, stratum), votes in counts.items():
        key = (candidate, REST if stratum in merged else stratum)
        result[key] = result.get(key, 0) + votes
    return result

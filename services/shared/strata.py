"""Strata too small to be published are merged into the rest, so that no handful of voters can be picked out.

Pure. Whoever publishes counts or ballots by stratum asks here, so that both tell the same strata.
"""

from collections.abc import Mapping

REST = ""


def merged_strata(ballots: Mapping[str, int], ballots_min: int) -> frozenset[str]:
    """Strata that become part of the unnamed rest: those of fewer than `ballots_min` ballots.

    While the rest has ballots and is itself too small, it takes in the next smallest stratum.
    """
    merged = {stratum for stratum, count in ballots.items() if count < ballots_min} | {REST}
    others = sorted((count, stratum) for stratum, count in ballots.items() if stratum not in merged)
    rest = sum(ballots.get(stratum, 0) for stratum in merged)
    for count, stratum in others:
        if rest == 0 or rest >= ballots_min:
            break
        merged.add(stratum)
        rest += count
    return frozenset(merged)

"""Reserves take seats in the order of their lots, each only where facts tell no conflict. Called by `panel.py` when a
recusal leaves too few marks, and by `office/proposals.py` when two people call one for somebody who cannot come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.scoring.panels import store
from services.scoring.rounds import Round
from services.shared.messages import CandidateCard
from services.shared.postgres import Connection


def group_of(round_: Round, card: CandidateCard) -> str:
    """The group whose panel scores a candidate, named as in ranking.csv."""
    return ";".join(f"{key}={getattr(card, key)}" for key in round_.rules.groups.by) or "all"


async def first_free(connection: Connection, round_: Round, card: CandidateCard) -> str:
    """The first reserve of the candidate's panel who neither sits there already nor is tied to it; "" for none."""
    drawn = next((each for each in await store.draws(connection, round_.id) if each.drawn_at), None)
    if drawn is None:
        return ""
    seated = (await store.seats(connection, round_.id)).get(card.candidate, frozenset())
    reserves: Sequence[str] = next(
        (panel.reserves for panel in drawn.panels if panel.group == group_of(round_, card)), ()
    )
    free = (each for each in reserves if each not in seated and not round_.is_tied(each, card.candidate))
    return next(free, "")


async def replacements(
    connection: Connection, round_: Round, left: str, candidate: str, done: frozenset[str]
) -> Mapping[str, str]:
    """Reserves by candidate, for one candidate of an expert or (empty) for all but `done`; without those nobody can."""
    wanted = [
        card
        for card in round_.standing
        if left in round_.seats.get(card.candidate, ())
        and card.candidate not in done
        and candidate in ("", card.candidate)
    ]
    found = {card.candidate: await first_free(connection, round_, card) for card in wanted}
    return {name: reserve for name, reserve in found.items() if reserve}

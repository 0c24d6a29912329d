"""Follower of `scoring.rankings`: a published ranking becomes the next list version, with its notice.

Invariant: the list, the notice, the round's new state and the checkpoint are one transaction. A ranking that rests on
other rules than the frozen ones makes no list. Changes that were confirmed before are applied to it again.
"""

import logging

from services.registry import metrics
from services.registry.lists import versions
from services.registry.lists.lists import entries_of
from services.registry.lists.store import Basis
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.messages import Message, RankingMessage
from services.shared.postgres import Connection
from services.shared.ranking.errors import InputError

log = logging.getLogger(__name__)


async def apply_ranking(connection: Connection, message: Message) -> None:
    """Make the list of a ranking; one that was applied before, or fits no round, changes nothing."""
    assert isinstance(message, RankingMessage)
    await rounds.lock_round(connection, message.round)
    round_ = await rounds.load_round(connection, message.round)
    if round_ is not None and message.version <= round_.ranking_version:
        return
    refusal = _mismatch(round_, message)
    if round_ is None or refusal:
        metrics.rankings_refused_total.inc()
        log.error("ranking refused", extra={"round": message.round, "version": message.version, "why": refusal})
        return
    basis = Basis(
        message.round, message.version, message.rules_digest, message.tally_digest, message.ranking_csv
    )  # fmt: skip
    await versions.publish_ranking(connection, round_, basis, message.published_at, message.published_by)
    metrics.lists_made_total.inc()


def _mismatch(round_: Round | None, message: RankingMessage) -> str:
    """Why no list may be made of this ranking; empty when it may."""
    if round_ is None:
        return "unknown_round"
    if message.rules_digest != round_.digest:
        return "other_rules"
    try:
        ranked = {entry.candidate for entry in entries_of(message.ranking_csv, selects=False)}
    except (InputError, ValueError):
        return "no_ranking"
    return "" if ranked <= {card.candidate for card in round_.candidates} else "unknown_candidate"

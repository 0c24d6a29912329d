"""Follower of `scoring.rankings`: a published ranking becomes the next list version, with its notice.

Invariant: the list, the notice, the round's new state and the checkpoint are one transaction. A ranking that rests on
other rules than the frozen ones makes no list.
"""

import logging

from services.registry import metrics
from services.registry.lists import store
from services.registry.lists.lists import entries_of, objection_window
from services.registry.rounds import store as rounds
from services.registry.rounds.views import Round
from services.shared.messages import Message, RankingMessage
from services.shared.postgres import Connection
from services.shared.ranking.errors import InputError
from services.shared.ranking.rules import parse_rules

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
    await _make_list(connection, round_, message)
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


async def _make_list(connection: Connection, round_: Round, message: RankingMessage) -> None:
    rules = parse_rules(round_.rules.encode())
    version = round_.list_version + 1
    entries = entries_of(message.ranking_csv, selects=rules.selection is not None)
    window = objection_window(message.published_at, rules.windows.objection_working_days, round_.timezone)
    await store.insert_list(connection, version, message, entries, window)
    detail = f"list {version} of ranking {message.version}"
    await rounds.add_event(connection, round_.round, message.published_at, "published", detail, "scoring")
    await rounds.publish(connection, round_.round)

"""The files of a rehearsal: the rules that are to be practised, under another name, with somebody to vote for. Pure.

A round lends its own candidates. A call's applications are nobody's to see yet: it is rehearsed with made-up ones.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from services.registry.calls.editing import edited
from services.registry.rounds.companions import Channel
from services.shared.ranking.model import Rules
from services.shared.vocabulary import CATEGORIES, LEVELS

MARK = "（演练）"
ID_MAX = 64
CANDIDATES_MIN, CANDIDATES_MAX = 12, 200
_NOT_OURS = frozenset({"reveal.toml", "exemptions.toml"})
_COLUMNS = ("candidate", "title", "unit", "channel", "category", "level")


def rehearsal_id(base: str, number: int) -> str:
    """The id of the `number`-th rehearsal of a call or round."""
    ending = f"-rehearsal-{number}"
    return f"{base[: ID_MAX - len(ending)]}{ending}"


def of_round(files: Mapping[str, str], rules: Rules, identifier: str) -> dict[str, str]:
    """The same rules, candidates and panel under another id; the seed of lots stays with the real round."""
    kept = {name: text for name, text in files.items() if name not in _NOT_OURS}
    return {**kept, "rules.toml": _rules_text(files["rules.toml"], rules, identifier)}


def of_call(
    files: Mapping[str, str], rules: Rules, channels: Sequence[Channel], identifier: str
) -> dict[str, str]:  # fmt: skip
    """The call's rules and panel, with made-up candidates spread over its channels."""
    kept = {name: text for name, text in files.items() if name not in _NOT_OURS}
    kept["rules.toml"] = _rules_text(files["rules.toml"], rules, identifier)
    return {**kept, "candidates.csv": made_up(rules, [each.channel for each in channels] or ["all"])}


def _rules_text(text: str, rules: Rules, identifier: str) -> str:
    fields: dict[str, Any] = {
        "round": {"id": identifier, "title": f"{rules.round.title or rules.round.id}{MARK}"},
        # Quotas were kept when units were recommended; practising asks nobody to recommend.
        "quotas": None,
    }
    if rules.combination.lots_commitment:
        fields["combination"] = {"lots_commitment": None}
    return edited(text, fields)


def made_up(rules: Rules, channels: Sequence[str]) -> str:
    """candidates.csv with as many candidates of every level and channel as a full ballot needs."""
    count = min(CANDIDATES_MAX, max(CANDIDATES_MIN, 2 * rules.ballot.choices_max, 2 * len(channels)))
    levels, categories = list(LEVELS), list(CATEGORIES)
    count = math.ceil(count / len(levels)) * len(levels)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number in range(1, count + 1):
        # The level changes with every candidate, the channel once all levels had a turn: every pair of them occurs.
        level, channel = levels[number % len(levels)], channels[(number // len(levels)) % len(channels)]
        category = categories[number % len(categories)]
        writer.writerow((f"R{number:02d}", f"演练项目{number}", f"演练单位{number}", channel, category, level))
    return written.getvalue()

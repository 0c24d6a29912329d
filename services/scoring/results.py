"""What API and pages show of a ranking: rows with raw votes beside points and how each total was made. Pure.

Built once when the ranking is computed and kept with it, so that an old version shows what it showed then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import msgspec

from services.scoring.rounds import Round
from services.shared.messages import RoundEvent, TallyContent
from services.shared.ranking.model import Rules
from services.shared.ranking.numbers import print_number
from services.shared.ranking.ranking import Ranking, Row

Body = dict[str, Any]


def ranking_body(round_: Round, ranking: Ranking, tally: TallyContent | None) -> Body:
    """Rows in the order of ranking.csv, the weights used, exclusions by reason, and what gave way on the way."""
    combination = round_.rules.combination
    return {
        "rows": [_row(round_, row) for row in ranking.rows],
        "weights": {
            "votes": print_number(combination.votes, None, "half_up"),
            "experts": print_number(combination.experts, None, "half_up"),
        },
        "criteria": [
            {"criterion": each.id, "title": each.title, "weight": print_number(each.weight, None, "half_up")}
            for each in round_.criteria
        ],
        "turnout": None if tally is None else tally.turnout,
        "ballots": None if tally is None else tally.ballots,
        "excluded": None if tally is None else tally.excluded,
        "exclusions": _exclusions(tally),
        "fallbacks": [
            {"candidate": each.candidate, "marks": each.marks, "panel_min": each.panel_min, "method": each.method}
            for each in ranking.fallbacks
        ],
        "notes": list(ranking.notes),
        # What only voting knows; the registry's own events are in the round, which may still grow.
        "voting_events": [] if tally is None else msgspec.to_builtins(tally.events),
    }


def all_events(round_: Round, voting_events: Iterable[RoundEvent]) -> list[RoundEvent]:
    """The registry's events of a round and those that only voting decides, as one list in order of time, each once."""
    found = {(each.at, each.event, each.detail): each for each in (*round_.message.events, *voting_events)}
    return [found[key] for key in sorted(found)]


def events_of(round_: Round, body: Mapping[str, Any]) -> list[RoundEvent]:
    """The same for a computed ranking; bodies from before extensions existed have none of voting's."""
    return all_events(round_, msgspec.convert(body.get("voting_events", []), list[RoundEvent]))


def _row(round_: Round, row: Row) -> Body:
    card = round_.card(row.candidate)
    assert card is not None
    return {
        "group": row.group,
        "place": row.place,
        "candidate": row.candidate,
        "number": card.number,
        "title": card.title,
        "unit": card.unit,
        "votes": row.votes,
        "vote_points": row.vote_points_text,
        "expert_points": row.expert_points_text,
        "total": row.total_text,
        "tie_break": row.tie_break,
        "outcome": row.outcome,
        "sheets": row.sheets,
        "fell_back": row.fell_back,
        "criteria": _criteria(round_.rules, row),
        "dropped_sheets": [_dropped(each.value) for each in row.dropped if not each.criterion],
    }


def _criteria(rules: Rules, row: Row) -> list[Body]:
    """Per criterion: the panel's aggregate, its weighted component, and the marks trimming left out (nobody named)."""
    if not row.aggregates:
        return []
    experts, rounding = rules.experts, rules.combination.rounding
    return [
        {
            "criterion": criterion.id,
            "aggregate": print_number(aggregate, experts.aggregate_decimals, rounding),
            "component": print_number(component, experts.component_decimals, rounding),
            "dropped": [
                _dropped(each.value)
                for each in sorted(row.dropped, key=lambda dropped: dropped.value)
                if each.criterion == criterion.id
            ],
        }
        for criterion, aggregate, component in zip(rules.criteria, row.aggregates, row.components, strict=True)
    ]


def _dropped(value: Fraction) -> str:
    return print_number(value, None, "half_up")


def _exclusions(tally: TallyContent | None) -> list[Body]:
    """Choices on excluded ballots by reason; the days and candidates are in the bundle."""
    totals: dict[str, int] = {}
    for each in () if tally is None else tally.exclusions:
        totals[each.reason] = totals.get(each.reason, 0) + each.ballots
    return [{"reason": reason, "choices": choices} for reason, choices in sorted(totals.items())]


def public_body(body: Mapping[str, Any], rules: Rules) -> Body:
    """What the public may see: all rows, or the selected ones where the rules publish no others."""
    shown = dict(body)
    if rules.publication.ranking == "selected":
        shown["rows"] = [row for row in body["rows"] if row["outcome"] == "selected"]
        kept = {row["candidate"] for row in shown["rows"]}
        shown["fallbacks"] = [each for each in body["fallbacks"] if each["candidate"] in kept]
    return shown

"""`rules.toml` → `Rules`: every key checked, every default the neutral value, unknown keys refused.

Called by the registry before it freezes a round, by the other services on what the registry publishes, and by
the offline commands. Whatever parses here can be ranked with.
"""

import hashlib
import re
import zoneinfo
from typing import get_args

from services.shared.ranking.advice import needs_expert_identity, nominal_weights, warnings
from services.shared.ranking.errors import InputError, shown
from services.shared.ranking.fields import Table, read_toml
from services.shared.ranking.model import (
    BallotRule,
    Criterion,
    GroupKey,
    Groups,
    Outage,
    Publication,
    Round,
    Rules,
    Selection,
    Window,
    Windows,
)
from services.shared.ranking.rules_of_method import read_combination, read_experts, read_votes
from services.shared.ranking.weights import effective_weights

__all__ = [
    "InputError",
    "Rules",
    "effective_weights",
    "needs_expert_identity",
    "nominal_weights",
    "parse_rules",
    "warnings",
]

SCHEMA = 1
TABLES = (
    "schema",
    "round",
    "windows",
    "quotas",
    "ballot",
    "outage",
    "groups",
    "criteria",
    "experts",
    "votes",
    "combination",
    "selection",
    "publication",
)
WINDOW_NAMES = ("application", "recommendation", "voting", "scoring")
_ROUND_ID = re.compile(r"[a-z0-9-]{1,64}")
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


def parse_rules(data: bytes, file: str = "rules.toml") -> Rules:
    """Read and check the bytes of a rules file; raises InputError with file, line and what to do."""
    root = read_toml(data, file)
    root.only(*TABLES)
    _check_schema(root)
    criteria = _read_criteria(root)
    rules = Rules(
        round=_read_round(root.table("round")),
        windows=_read_windows(root.table("windows")),
        quotas=_read_counts(root.table("quotas")),
        ballot=_read_ballot(root.table("ballot")),
        outage=_read_outage(root.table("outage")) if "outage" in root else None,
        groups=_read_groups(root.table("groups")),
        criteria=criteria,
        experts=read_experts(root.table("experts")),
        votes=read_votes(root.table("votes")),
        combination=read_combination(root.table("combination"), criteria),
        selection=_read_selection(root.table("selection")) if "selection" in root else None,
        publication=_read_publication(root.table("publication")),
        digest=hashlib.sha256(data).hexdigest(),
    )
    _check_together(root, rules)
    return rules


def _check_schema(root: Table) -> None:
    for required in ("schema", "round", "combination"):
        if required not in root:
            written = "schema = 1" if required == "schema" else f"[{required}]"
            root.refuse(None, f"{written} is missing; add it")
    if root.integer("schema", SCHEMA) != SCHEMA:
        root.refuse("schema", f"schema must be {SCHEMA}; this software knows no other")


def _check_together(root: Table, rules: Rules) -> None:
    """Refuse what is right by itself and wrong beside another table."""
    if rules.votes.per == "stratum" and rules.ballot.stratum == "declared":
        root.table("votes").refuse(
            "per",
            'per = "stratum" needs strata that voters cannot choose; with stratum = "declared" use per = "all"',
        )
    if rules.publication.ranking == "selected" and rules.selection is None:
        root.table("publication").refuse(
            "ranking", 'ranking = "selected" needs a [selection]; add one or use ranking = "all"'
        )


def _read_round(table: Table) -> Round:
    table.only("id", "title", "timezone")
    identifier = table.identifier("id")
    if not _ROUND_ID.fullmatch(identifier):
        table.refuse("id", f"id {shown(identifier)} must be 1 to 64 lowercase letters, digits or -")
    return Round(id=identifier, title=table.text("title"), timezone=_read_timezone(table))


def _read_timezone(table: Table) -> str:
    name = table.text("timezone")
    if name and not (_ZONE_NAME.fullmatch(name) and _is_zone(name)):
        table.refuse("timezone", f'timezone {shown(name)} is unknown; use an IANA name like "Asia/Shanghai"')
    return name


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        # A machine without time zone data must still be able to rank: there only the form counts.
        return not zoneinfo.available_timezones()
    return True


def _read_windows(table: Table) -> Windows:
    table.only(
        *WINDOW_NAMES,
        "review_working_days",
        "appeal_working_days",
        "objection_working_days",
        "commit_grace_s",
        "hold_decision_working_days",
    )
    spans = {name: _read_window(table.table(name)) if name in table else None for name in WINDOW_NAMES}
    return Windows(
        application=spans["application"],
        recommendation=spans["recommendation"],
        voting=spans["voting"],
        scoring=spans["scoring"],
        review_working_days=table.integer("review_working_days", 5),
        appeal_working_days=table.integer("appeal_working_days", 3),
        objection_working_days=table.integer("objection_working_days", 5),
        commit_grace_s=table.integer("commit_grace_s", 30),
        hold_decision_working_days=table.integer("hold_decision_working_days", 3),
    )


def _read_window(table: Table) -> Window:
    table.only("opens", "closes")
    window = Window(opens=table.moment("opens"), closes=table.moment("closes"))
    if window.closes <= window.opens:
        table.refuse("closes", f"{table.name} closes at or before it opens; let closes be later than opens")
    return window


def _read_counts(table: Table) -> dict[str, int]:
    return {key: table.integer(key, 0) for key in table.keys()}  # noqa: SIM118 (a Table is no dict)


def _read_ballot(table: Table) -> BallotRule:
    table.only(*BallotRule.__dataclass_fields__)
    rule = BallotRule(
        choices_min=table.integer("choices_min", 1, minimum=1),
        choices_max=table.integer("choices_max", 1, minimum=1),
        group_max=table.integer("group_max", 0),
        channels_min=table.integer("channels_min", 0),
        per=table.word("per", "round", BallotRule.__annotations__["per"]),
        identity=table.word("identity", "phone", BallotRule.__annotations__["identity"]),
        persons_per_phone=table.integer("persons_per_phone", 1, minimum=1),
        stratum=table.word("stratum", "none", BallotRule.__annotations__["stratum"]),
        held_shown_after_h=table.integer("held_shown_after_h", 0),
    )
    if rule.choices_min > rule.choices_max:
        table.refuse(
            "choices_min" if "choices_min" in table else None,
            f"choices_min {rule.choices_min} is above choices_max {rule.choices_max}; raise choices_max or lower it",
        )
    if rule.channels_min > rule.choices_max:
        table.refuse("channels_min", "channels_min is above choices_max, so that no ballot is possible; lower it")
    return rule


def _read_outage(table: Table) -> Outage:
    table.only(*Outage.__dataclass_fields__)
    outage = Outage(
        success_below=table.decimal("success_below", "0"),
        for_minutes=table.integer("for_minutes", 0),
        within_last_hours=table.integer("within_last_hours", 0),
        extend_minutes=table.integer("extend_minutes", 0),
    )
    if outage.success_below > 1:
        table.refuse("success_below", 'success_below is a share; use a decimal from "0" to "1"')
    return outage


def _read_groups(table: Table) -> Groups:
    table.only("by")
    known: tuple[GroupKey, ...] = get_args(GroupKey)
    written = table.list_of_texts("by")
    for key in written:
        if key not in known:
            table.refuse("by", f"by names {shown(key)}; use any of: {', '.join(known)}")
    return Groups(by=tuple(known[known.index(key)] for key in written))


def _read_criteria(root: Table) -> tuple[Criterion, ...]:
    criteria: list[Criterion] = []
    for table in root.tables("criteria"):
        criterion = _read_criterion(table)
        if any(criterion.id == other.id for other in criteria):
            table.refuse("id", f"criterion {shown(criterion.id)} is there twice; give each its own id")
        criteria.append(criterion)
    return tuple(criteria)


def _read_criterion(table: Table) -> Criterion:
    table.only("id", "title", "weight", "min", "max", "step")
    criterion = Criterion(
        id=table.identifier("id"),
        title=table.text("title"),
        weight=table.decimal("weight", "0"),
        minimum=table.signed_decimal("min", "0"),
        maximum=table.decimal_or_none("max"),
        step=table.decimal("step", "0"),
    )
    if criterion.maximum is not None and criterion.maximum <= criterion.minimum:
        table.refuse("max", "max is not above min, so that no marks differ; raise max")
    return criterion


def _read_selection(table: Table) -> Selection:
    table.only(*Selection.__dataclass_fields__)
    return Selection(
        places=_read_counts(table.table("places")),
        reserve=table.integer("reserve", 0),
        floor=table.decimal_or_none("floor"),
        tie_at_cut=table.word("tie_at_cut", "exclude", Selection.__annotations__["tie_at_cut"]),
    )


def _read_publication(table: Table) -> Publication:
    table.only(*Publication.__dataclass_fields__)
    return Publication(
        ranking=table.word("ranking", "all", Publication.__annotations__["ranking"]),
        ballots=table.word("ballots", "totals", Publication.__annotations__["ballots"]),
        small_group_min=table.integer("small_group_min", 0),
    )

"""The rules of a round as values: what `parse_rules` returns and everything else reads.

Frozen after parsing; every field is already checked, so that no later step has to doubt it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from services.shared.ranking.numbers import Rounding

GroupKey = Literal["level", "category", "channel"]
Adjust = Literal["none", "z_score", "additive"]
Aggregate = Literal["mean", "trimmed_mean", "median", "sum", "rank_points"]
Order = Literal["criterion_first", "sheet_first"]
Fallback = Literal["mean", "median"]
VoteTransform = Literal[
    "raw", "share", "linear_to_max", "log_to_max", "percentile", "t_score", "t_score_log", "rank_points"
]
ExpertsTransform = Literal["none", "linear_to_max", "t_score"]
Ties = Literal["average", "best"]
Stratum = Literal["none", "declared", "phone_region"]


@dataclass(frozen=True, slots=True)
class Round:
    """Who the round is; `timezone` is an IANA name, "" where the rules name none (UTC)."""

    id: str
    title: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, `[opens, closes)`, both with offset."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a round (None: the round does not have it) and the periods that follow from them."""

    application: Window | None
    recommendation: Window | None
    voting: Window | None
    scoring: Window | None
    review_working_days: int
    appeal_working_days: int
    objection_working_days: int
    commit_grace_s: int
    hold_decision_working_days: int


@dataclass(frozen=True, slots=True)
class BallotRule:
    """What one person's ballot may hold; 0 in `group_max` and `channels_min` means no limit."""

    choices_min: int
    choices_max: int
    group_max: int
    channels_min: int
    per: Literal["round", "day"]
    identity: Literal["phone", "phone_and_id"]
    persons_per_phone: int
    stratum: Stratum
    held_shown_after_h: int


@dataclass(frozen=True, slots=True)
class Outage:
    """When the voting window is extended by itself."""

    success_below: Fraction
    for_minutes: int
    within_last_hours: int
    extend_minutes: int


@dataclass(frozen=True, slots=True)
class Groups:
    """The keys that split the candidates into rankings of their own; none: one ranking, `all`."""

    by: tuple[GroupKey, ...]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion; `maximum` None is unbounded, `step` 0 takes any decimal (steps count from `minimum`)."""

    id: str
    title: str
    weight: Fraction
    minimum: Fraction
    maximum: Fraction | None
    step: Fraction


@dataclass(frozen=True, slots=True)
class Experts:
    """How marks become one number per candidate; decimals None means unrounded."""

    adjust: Adjust
    aggregate: Aggregate
    order: Order
    trim_low: int
    trim_high: int
    panel_min: int
    fallback: Fallback
    aggregate_decimals: int | None
    component_decimals: int | None
    points: tuple[Fraction, ...]
    ridge: Fraction
    marks_min: int


@dataclass(frozen=True, slots=True)
class Votes:
    """How counted votes become points; `cap` None is no cap."""

    transform: VoteTransform
    per: Literal["all", "stratum"]
    cap: Fraction | None
    points: tuple[Fraction, ...]
    ties: Ties
    decimals: int | None


@dataclass(frozen=True, slots=True)
class Combination:
    """How the two sides become a total, and what separates equal totals."""

    votes: Fraction
    experts: Fraction
    experts_transform: ExpertsTransform
    experts_decimals: int | None
    decimals: int | None
    rounding: Rounding
    tie_break: tuple[str, ...]
    lots_commitment: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Who wins: places by group value (`all` for one ranking), reserve, floor (None: none), ties at the cut."""

    places: Mapping[str, int]
    reserve: int
    floor: Fraction | None
    tie_at_cut: Literal["include", "exclude"]


@dataclass(frozen=True, slots=True)
class Publication:
    """What the public bundle holds."""

    ranking: Literal["all", "selected"]
    ballots: Literal["totals", "ballots"]
    small_group_min: int


@dataclass(frozen=True, slots=True)
class Rules:
    """One rules file; `digest` is the hex SHA-256 of its bytes, the name of these rules everywhere."""

    round: Round
    windows: Windows
    quotas: Mapping[str, int]
    ballot: BallotRule
    outage: Outage | None
    groups: Groups
    criteria: tuple[Criterion, ...]
    experts: Experts
    votes: Votes
    combination: Combination
    selection: Selection | None
    publication: Publication
    digest: str

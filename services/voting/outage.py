"""The outage rule of the rules file: when the voting window is extended by itself. Pure; called by `extensions.py`.

A whole minute of the window *failed* when nothing is known of it, when fewer than `success_below` of the people with a
valid token were answered, or when fewer than that of the codes could be sent. `for_minutes` failed minutes in a row
within the last `within_last_hours` of the window extend it by `extend_minutes`. A minute in which nobody asked for
anything failed nobody. An outage that goes on extends once more only by the minutes that it takes from the added time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction

import msgspec

from services.shared.ranking.model import Outage as Rule

MINUTE = timedelta(minutes=1)
# A minute is judged so long after its end: until then a worker's heartbeat may still be on its way.
SETTLE = timedelta(seconds=10)


class Minute(msgspec.Struct, frozen=True):
    """What all workers together saw of a round in one minute; people count once, by their last answer."""

    answered: int = 0
    failed: int = 0
    codes_sent: int = 0
    codes_unsent: int = 0


class Extension(msgspec.Struct, frozen=True):
    """The window ends at `closes` instead of `closed_before`, because of the minutes `[failed_from, failed_until)`."""

    number: int
    closed_before: datetime
    closes: datetime
    failed_from: datetime
    failed_until: datetime
    decided_at: datetime


class Window(msgspec.Struct, frozen=True):
    """The window as it stands now; minutes before `watched_from` are nobody's to judge."""

    opens: datetime
    closes: datetime
    watched_from: datetime
    newest: Extension | None = None


class Failure(msgspec.Struct, frozen=True):
    """Failed minutes `[since, until)` that extend the window."""

    since: datetime
    until: datetime


def judged(rule: Rule, window: Window, now: datetime) -> tuple[datetime, datetime]:
    """The minutes `[first, end)` that the rule looks at; empty when first is not before end."""
    last_hours = window.closes - timedelta(hours=rule.within_last_hours)
    first = _next_minute(max(window.opens, window.watched_from, last_hours))
    return first, min(window.closes, now - SETTLE).replace(second=0, microsecond=0)


def find_failure(rule: Rule, window: Window, minutes: Mapping[datetime, Minute], now: datetime) -> Failure | None:
    """The first minutes that extend the window and did not do so before."""
    first, end = judged(rule, window, now)
    if rule.for_minutes < 1 or rule.extend_minutes < 1:
        return None
    newest = window.newest
    minute = first if newest is None else newest.failed_until
    going_on = newest is not None
    run = 0
    while minute < end:
        failed = _failed(rule, minutes.get(minute))
        # What follows the newest extension's minutes without a break is the same outage, up to the end it moved.
        going_on = going_on and failed and newest is not None and minute < newest.closed_before
        run = run + 1 if failed and not going_on and minute >= first else 0
        minute += MINUTE
        if run == rule.for_minutes:
            return Failure(minute - run * MINUTE, minute)
    return None


def _failed(rule: Rule, minute: Minute | None) -> bool:
    if minute is None:
        return True
    below = rule.success_below
    return _share_below(minute.answered, minute.failed, below) or _share_below(
        minute.codes_sent, minute.codes_unsent, below
    )


def _share_below(good: int, bad: int, below: Fraction) -> bool:
    return bad > 0 and Fraction(good, good + bad) < below


def _next_minute(moment: datetime) -> datetime:
    """The moment itself where a minute begins, else the next beginning."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + MINUTE

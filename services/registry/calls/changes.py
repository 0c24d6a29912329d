"""What of an announced call may still change. Pure; the two signatures are `calls.py`'s business.

What may change until when stands over `forbidden_changes`.
"""

from collections.abc import Collection
from datetime import datetime

from services.registry.calls.drafts import CallDraft
from services.shared.ranking.model import Window


def forbidden_changes(before: CallDraft, after: CallDraft, now: datetime, applied: Collection[str]) -> list[str]:
    """Why the change is refused, a sentence each; empty where it may be. `applied`: channels with applications.

    | what | may change until | and then |
    |---|---|---|
    | `[round] id`, the mark of a rehearsal | it is announced | never |
    | `windows.application` opens | it has opened | stays |
    | `windows.application` closes | it has closed; the new end lies in the future | stays |
    | `windows.recommendation` opens, closes | it has opened, closed | stays |
    | quotas | recommendation opens | may only grow, until it closes |
    | kinds of channels | recommendation opens | stay |
    | review and appeal days | recommendation closes, when reviews begin | stay |
    | a channel | somebody applied through it | may not be taken out |
    | everything else (voting, scoring, criteria, weights) | the call is frozen | only events the rules foresee |
    """
    found = []
    if after.rules.round.id != before.rules.round.id:
        found.append("[round] id names the call and its applications; it stays.")
    for name in ("application", "recommendation"):
        old, new = getattr(before.rules.windows, name), getattr(after.rules.windows, name)
        found += _window_changes(name, old, new, now)
    found += _quota_changes(before, after, now)
    found += _channel_changes(before, after, now, applied)
    closes = _closes(before.rules.windows.recommendation)
    for key in ("review_working_days", "appeal_working_days"):
        changed = getattr(before.rules.windows, key) != getattr(after.rules.windows, key)
        if changed and closes is not None and closes <= now:
            found.append(f"{key} stays: reviews began when recommendation closed.")
    return found


def _closes(window: Window | None) -> datetime | None:
    return window.closes if window else None


def _window_changes(name: str, old: Window | None, new: Window | None, now: datetime) -> list[str]:
    if old is None or old == new:
        return []
    if new is None:
        return [f"windows.{name} was announced; move it, but do not take it out."]
    found = []
    if old.opens != new.opens and old.opens <= now:
        found.append(f"windows.{name} has opened; when it opened stays.")
    if old.closes != new.closes and old.closes <= now:
        found.append(f"windows.{name} has closed; it stays closed.")
    elif old.closes != new.closes and new.closes <= now:
        found.append(f"windows.{name} would have closed already; let it close later than now.")
    return found


def _quota_changes(before: CallDraft, after: CallDraft, now: datetime) -> list[str]:
    window = before.rules.windows.recommendation
    old, new = before.rules.quotas, after.rules.quotas
    if old == new or window is None or now < window.opens:
        return []
    if now >= window.closes:
        return ["quotas stay: recommendations are closed."]
    # A quota that is left out means no limit.
    shrunk = [kind for kind, count in new.items() if kind not in old or count < old[kind]]
    return [f"quota {kind} may only grow once recommendations have opened." for kind in sorted(shrunk)]


def _channel_changes(before: CallDraft, after: CallDraft, now: datetime, applied: Collection[str]) -> list[str]:
    found = [
        f"Somebody applied through channel {channel}; it stays."
        for channel in sorted(before.channels.keys() - after.channels.keys())
        if channel in applied
    ]
    window = before.rules.windows.recommendation
    if window is not None and window.opens <= now:
        found += [
            f"Channel {channel} keeps its kind: recommendations have opened."
            for channel, each in before.channels.items()
            if channel in after.channels and after.channels[channel].kind != each.kind
        ]
    return found

"""A call's files, checked as the round they will become, and the facts that SQL asks for. Pure.

Called by `calls.py` before anything of a call is stored.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.registry.rounds.companions import Channel
from services.registry.rounds.files import read_draft
from services.registry.rounds.reading import Problem
from services.shared.ranking.model import Rules, Window
from services.shared.ranking.toml_lines import TomlLines

RULES = "rules.toml"
SECRET = "reveal.toml"
COMPANIONS = ("channels.toml", "criteria.toml", "experts.toml", SECRET)
FILES = (RULES, *COMPANIONS)


class CallDraft(msgspec.Struct, frozen=True):
    """A call whose files hold together."""

    files: dict[str, str]
    rules: Rules
    channels: dict[str, Channel]
    warnings: list[str]

    def columns(self) -> dict[str, Any]:
        """What table `calls` copies of the rules."""
        application, recommendation = self.rules.windows.application, self.rules.windows.recommendation
        return {
            "title": self.rules.round.title or self.rules.round.id,
            "rules": self.files[RULES],
            "timezone": self.rules.round.timezone or "UTC",
            "application_opens_at": application.opens if application else None,
            "application_closes_at": application.closes if application else None,
            "recommendation_opens_at": recommendation.opens if recommendation else None,
            "recommendation_closes_at": recommendation.closes if recommendation else None,
            "review_working_days": self.rules.windows.review_working_days,
            "appeal_working_days": self.rules.windows.appeal_working_days,
            "quotas": dict(self.rules.quotas),
        }


def read_call(files: Mapping[str, str]) -> tuple[CallDraft | None, list[Problem]]:
    """The call, or None and every mistake with file and line."""
    problems = [
        Problem(name[:120], 0, f"is no file of a call; use any of: {', '.join(FILES)}")
        for name in files
        if name not in FILES
    ]
    known = {name: text for name, text in files.items() if name in FILES}
    draft, found = read_draft(known, known.get(RULES, ""), with_candidates=False)
    if draft is None or problems:
        return None, sorted([*problems, *found])
    return CallDraft(known, draft.rules, draft.channels, draft.warnings), []


def problems_of_announcing(draft: CallDraft, known: Mapping[str, Channel], now: datetime) -> list[Problem]:
    """What an announcement lacks: windows in their order, and channels that agree with those of earlier calls."""
    lines, windows = TomlLines(draft.files[RULES]), draft.rules.windows
    problems: list[Problem] = []

    def blame(name: str, reason: str) -> None:
        problems.append(Problem(RULES, lines.line(("windows", name)), reason))

    if windows.application is None or windows.recommendation is None:
        missing = "application" if windows.application is None else "recommendation"
        blame(missing, f"a call needs the window {missing} with opens and closes; add it to [windows]")
    else:
        if windows.application.closes <= now:
            blame("application", "the window application has closed already; move it")
        if windows.recommendation.opens < windows.application.closes:
            blame("recommendation", "recommendation opens before application closes; let it follow")
        for name, window in (("voting", windows.voting), ("scoring", windows.scoring)):
            if window is not None and window.opens < windows.recommendation.closes:
                blame(name, f"{name} opens before recommendation closes; let it follow")
    return problems + _channel_problems(draft, known)


def _channel_problems(draft: CallDraft, known: Mapping[str, Channel]) -> list[Problem]:
    if not draft.channels:
        return [Problem("channels.toml", 0, "is missing; a call names the channels that recommend")]
    lines = TomlLines(draft.files["channels.toml"])
    return [
        Problem(
            "channels.toml",
            lines.line(("channels", place, "kind")),
            f"channel {each.channel} is a {known[each.channel].kind} here; name its kind like that",
        )
        for place, each in enumerate(draft.channels.values())
        if each.channel in known and known[each.channel].kind != each.kind
    ]


def window_facts(rules: Rules) -> dict[str, dict[str, datetime]]:
    """Name → opens and closes, for the windows the rules have."""
    found: dict[str, Window | None] = {
        "application": rules.windows.application,
        "recommendation": rules.windows.recommendation,
        "voting": rules.windows.voting,
        "scoring": rules.windows.scoring,
    }
    return {name: {"opens": each.opens, "closes": each.closes} for name, each in found.items() if each}

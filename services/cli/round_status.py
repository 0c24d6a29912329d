"""The state of a round as `pingxuan rounds status` tells it, gathered from the three services.

Works while voting or scoring is down: what could not be asked is named in `unavailable`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.cli.client import PLATFORM_ACCOUNT, Client, CommandFailed, expect, part

_PHASES = {
    "scheduled": "scheduled",
    "open": "open for voting",
    "closed": "voting is closed",
    "sealed": "the tally is sealed",
    "published": "published",
}


def gather(client: Client, round_id: str) -> dict[str, Any]:
    """One document: round, title, digest, phase, windows, turnout, ballots, sheets, tally, rankings, list_version."""
    facts = expect(client.get(f"/api/registry/v1/rounds/{part(round_id)}"), 200)
    unavailable: list[str] = []
    voting = _ask(client, "voting", round_id, unavailable)
    scoring = _ask(client, "scoring", round_id, unavailable)
    return {
        "round": facts["round"],
        "title": facts["title"],
        "digest": facts["digest"],
        "phase": _phase(facts, voting, scoring),
        "windows": windows_of(facts, voting),
        "closed_early_at": facts["closed_early_at"],
        "turnout": voting.get("turnout"),
        "ballots": voting.get("ballots"),
        "sealed_at": voting.get("sealed_at"),
        "tallies": voting.get("tallies"),
        "since_seal": voting.get("since_seal"),
        "sheets": _sheets(scoring.get("panel")),
        "panel": scoring.get("panel"),
        "tally": scoring.get("tally"),
        "rankings": scoring.get("rankings"),
        "list_version": facts["list_version"],
        "unavailable": unavailable,
    }


def _ask(client: Client, service: str, round_id: str, unavailable: list[str]) -> dict[str, Any]:
    try:
        answer = client.get(f"/api/{service}/v1/rounds/{part(round_id)}/state", actor=PLATFORM_ACCOUNT)
    except CommandFailed:
        unavailable.append(service)
        return {}
    if answer.status != 200:
        unavailable.append(service)
        return {}
    return answer.body


def windows_of(facts: Mapping[str, Any], voting: Mapping[str, Any]) -> dict[str, Any]:
    """The windows of the rules; voting's own closing moment where an outage has extended it."""
    windows: dict[str, Any] = dict(facts["windows"])
    asked = voting.get("windows", {}).get("voting", {}).get("closes")
    if asked and "voting" in windows:
        known, closes = (datetime.fromisoformat(text) for text in (windows["voting"]["closes"], asked))
        if closes > known:
            windows["voting"] = {**windows["voting"], "closes": closes.astimezone(known.tzinfo).isoformat()}
    return windows


def _phase(facts: Mapping[str, Any], voting: Mapping[str, Any], scoring: Mapping[str, Any]) -> str:
    """Published and sealed go before what the windows say."""
    phase = str(facts["phase"])
    if phase == "published":
        return phase
    if voting.get("sealed_at") or scoring.get("tally"):
        return "sealed"
    return str(voting.get("phase") or phase)


def _sheets(panel: Any) -> dict[str, int] | None:
    """Sheets over all experts: assigned, saved, submitted, recused, and those still missing."""
    if not isinstance(panel, list):
        return None
    total = {
        key: sum(int(each.get(key) or 0) for each in panel) for key in ("assigned", "saved", "submitted", "recused")
    }
    return {**total, "missing": max(0, total["assigned"] - total["submitted"] - total["recused"])}


def told(state: Mapping[str, Any]) -> str:
    """The state as lines for a person."""
    lines = [f"{state['round']}  {state['title']}", f"digest   {state['digest']}"]
    phase = str(state["phase"])
    lines.append(f"phase    {_PHASES.get(phase, phase)}")
    lines += [f"{name:<14} {each['opens']} – {each['closes']}" for name, each in state["windows"].items()]
    if state["closed_early_at"]:
        lines.append(f"closed early   {state['closed_early_at']}")
    if state["turnout"] is not None:
        lines.append(f"turnout        {state['turnout']}")
    if state["ballots"]:
        lines.append("ballots        " + ", ".join(f"{count} {name}" for name, count in state["ballots"].items()))
    if sheets := state["sheets"]:
        lines.append(f"sheets         {sheets['submitted']} of {sheets['assigned']} in, {sheets['missing']} missing")
    if state["sealed_at"]:
        lines.append(f"sealed         {state['sealed_at']}")
    if len(state.get("tallies") or []) > 1:
        lines.append(f"tally          version {state['tallies'][0]['version']}")
    lines += _since_seal(state.get("since_seal") or {})
    lines += [f"ranking {each['version']:<6} {each['state']}" for each in state["rankings"] or []]
    if state["list_version"]:
        lines.append(f"list           version {state['list_version']}")
    lines += [f"{service} could not be asked" for service in state["unavailable"]]
    return "\n".join(lines)


def _since_seal(since: Mapping[str, int]) -> list[str]:
    """What happened to ballots after the seal and waits for another one."""
    counts = {"holds undecided": since.get("undecided"), **{name: since.get(name) for name in ("excluded", "restored")}}
    waiting = [f"{count} {name}" for name, count in counts.items() if count]
    return ["since then     " + ", ".join(waiting) + "; seal again before ranking"] if waiting else []

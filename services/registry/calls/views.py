"""A call as callers see it: public facts, what the office sees beside them, and what is possible next. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.registry.calls import quotas
from services.registry.calls.drafts import RULES, SECRET, CallDraft, window_facts
from services.registry.calls.quotas import Entry, Exemption
from services.registry.calls.recommendation_store import Recommendation, Sheet
from services.registry.calls.store import Call, Change
from services.registry.rounds.companions import Channel
from services.shared.ranking.rules import parse_rules
from services.shared.staff import Role, Staff
from services.shared.vocabulary import CHANNEL_KINDS

OFFICE = (Role.ADMINISTRATOR, Role.REVIEWER, Role.AUDITOR)


def phase(call: Call, now: datetime) -> str:
    """`draft`, `announced`, `application`, `recommendation`, `review`, `frozen` or `withdrawn`."""
    if call.state != "announced" or call.application_opens_at is None or call.application_closes_at is None:
        return call.state
    if now < call.application_opens_at:
        return "announced"
    if now < call.application_closes_at:
        return "application"
    closes = call.recommendation_closes_at
    return "recommendation" if closes is not None and now < closes else "review"


def line(call: Call, now: datetime) -> dict[str, Any]:
    """A call in a list of calls."""
    return {
        "call": call.call,
        "title": call.title,
        "state": call.state,
        "phase": phase(call, now),
        "rehearsal": call.rehearsal,
        "timezone": call.timezone,
        "application_opens_at": call.application_opens_at,
        "application_closes_at": call.application_closes_at,
        "recommendation_opens_at": call.recommendation_opens_at,
        "recommendation_closes_at": call.recommendation_closes_at,
        "announced_at": call.announced_at,
        "version": call.version,
    }


def whole(
    call: Call, draft: CallDraft, versions: list[dict[str, Any]], changes: list[Change], staff: Staff | None,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Everything of a call that this caller may know."""
    facts = {
        **line(call, now),
        "digest": draft.rules.digest,
        "number_commitment": call.number_commitment,
        "windows": window_facts(draft.rules),
        "quotas": call.quotas,
        "review_working_days": call.review_working_days,
        "appeal_working_days": call.appeal_working_days,
        "channels": [channel_facts(each) for each in draft.channels.values()],
        "versions": versions,
        "files": sorted(name for name in draft.files if name != SECRET),
        "actions": actions(call, changes, staff),
    }
    if staff is not None and staff.has(*OFFICE):
        facts["warnings"] = draft.warnings
        facts["has_reveal"] = SECRET in draft.files
        facts["changes"] = [change_facts(each, call, staff) for each in changes]
    return facts


def channel_facts(channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel.channel,
        "name": channel.name,
        "kind": channel.kind,
        "kind_name": CHANNEL_KINDS.get(channel.kind, channel.kind),
    }


def actions(call: Call, changes: Iterable[Change], staff: Staff | None) -> list[str]:
    """What this caller can do with the call now, as the last parts of the calls' paths."""
    if staff is None or not staff.has(Role.ADMINISTRATOR):
        return []
    if call.state == "draft":
        return ["files", "rules", "announce"]
    if call.state != "announced":
        return []
    possible = ["files", "rules", "exemptions", "freeze"]
    if any(_may_confirm(each, call, staff) for each in changes):
        possible.append("changes")
    return possible


def _may_confirm(change: Change, call: Call, staff: Staff) -> bool:
    return change.confirmed_by is None and change.version == call.version and change.proposed_by != staff.staff


def change_facts(change: Change, call: Call, staff: Staff) -> dict[str, Any]:
    """A proposed change; it has lapsed where something else changed first."""
    state = "confirmed" if change.confirmed_by else "open" if change.version == call.version else "lapsed"
    may = state == "open" and staff.has(Role.ADMINISTRATOR) and _may_confirm(change, call, staff)
    facts = msgspec.structs.asdict(change)
    if change.name == SECRET:
        facts["content"] = ""
    return {**facts, "state": state, "actions": ["confirm"] if may else []}


def rules_facts(call: Call, fields: dict[str, Any], problems: list[dict[str, Any]]) -> dict[str, Any]:
    """The rules as text and as fields of a form."""
    return {
        "call": call.call, "version": call.version, "file": RULES, "text": call.rules, "fields": fields,
        "digest": parse_rules(call.rules.encode()).digest, "problems": problems,
    }  # fmt: skip


def recommendation_facts(
    call: Call, channel: Channel, found: Recommendation, entries: Mapping[str, Entry], exemptions: list[Exemption],
    staff: Staff, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """A channel's recommendation for its officers and the office."""
    direct = channel.kind == quotas.DIRECT_KIND
    quota = call.quotas.get(channel.kind)
    rank = {application: place for place, application in enumerate(found.ranked, start=1)}
    return {
        "call": call.call,
        "channel": channel_facts(channel),
        "version": found.version,
        "quota": quota,
        "quota_of": "unit" if direct else "channel",
        "places": None if direct else quotas.places_of(quota, exemptions),
        "ranked": found.ranked,
        "not_recommended": found.not_recommended,
        "sent_at": found.sent_at,
        "opens_at": call.recommendation_opens_at,
        "closes_at": call.recommendation_closes_at,
        "exemptions": [exemption_facts(call, each, staff, now) for each in exemptions],
        "applications": [
            {
                **msgspec.structs.asdict(each),
                "rank": rank.get(each.application),
                "reason": found.not_recommended.get(each.application, ""),
                "opinion": found.opinions.get(each.application, ""),
            }
            for each in entries.values()
        ],
        "actions": _officer_actions(call, channel, found, staff, now),
    }


def takes_exemptions(call: Call, now: datetime) -> bool:
    """Whether places beyond a quota can still be granted."""
    closes = call.recommendation_closes_at
    return call.state == "announced" and (closes is None or now < closes)


def _officer_actions(call: Call, channel: Channel, found: Recommendation, staff: Staff, now: datetime) -> list[str]:
    own = staff.has(Role.CHANNEL_OFFICER) and staff.channel == channel.channel
    if not own or found.sent_at is not None or not takes_exemptions(call, now):
        return []
    opens = call.recommendation_opens_at
    sending = ["send"] if opens is not None and now >= opens else []
    return ["recommendations", *sending, "exemptions"]


def exemption_facts(call: Call, exemption: Exemption, staff: Staff, now: datetime) -> dict[str, Any]:
    """An exemption and whether `staff` may sign it now; after the recommendation's close nobody does."""
    undecided = exemption.confirmed_by is None and takes_exemptions(call, now)
    may = undecided and exemption.proposed_by != staff.staff and staff.has(Role.ADMINISTRATOR)
    return {**msgspec.structs.asdict(exemption), "actions": ["confirm"] if may else []}


def overview(
    call: Call, channels: Iterable[Channel], sheets: Mapping[str, Sheet], left_out: Iterable[tuple[str, Entry]],
    staff: Staff, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """For the office: who recommends how many, who has not sent, and which applications are left out."""
    lines: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    for channel in channels:
        sheet = sheets[channel.channel]
        stages, recommended = sheet.stages, sheet.recommendation
        if recommended:
            reasons |= recommended.not_recommended
        direct = channel.kind == quotas.DIRECT_KIND
        lines.append(
            {
                **channel_facts(channel),
                "applications": sum(count for stage, count in stages.items() if stage not in ("draft", "withdrawn")),
                "ranked": len(recommended.ranked) if recommended else 0,
                "places": None if direct else quotas.places_of(call.quotas.get(channel.kind), sheet.exemptions),
                "sent_at": recommended.sent_at if recommended else None,
                "left_out": stages.get("submitted", 0) + stages.get("not_recommended", 0),
            }
        )
    return {
        "call": call.call,
        "channels": lines,
        "left_out": [
            {"channel": channel, **msgspec.structs.asdict(each), "reason": reasons.get(each.application, "")}
            for channel, each in left_out
        ],
        "exemptions": [
            exemption_facts(call, each, staff, now) for sheet in sheets.values() for each in sheet.exemptions
        ],
    }

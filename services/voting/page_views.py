"""What the citizens' pages show, as plain dictionaries: one function per page, pure but for its arguments.

Called by `pages.py` only. Nothing here knows a voter, a choice or a count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from babel import Locale

from services.shared.messages import CandidateCard, RoundEvent
from services.shared.vocabulary import CATEGORIES, LEVELS, Translate
from services.voting.identity.phones import MAINLAND
from services.voting.rounds import FrozenRound, Phase

PHASES = {
    Phase.OPEN: ("open", "正在投票"),
    Phase.SCHEDULED: ("wait", "即将开始"),
    Phase.CLOSED: ("info", "投票已截止"),
    Phase.SEALED: ("info", "投票已截止"),
    Phase.PUBLISHED: ("done", "结果已公布"),
}
GROUP_LIMITS = {
    "level": "每个级别最多 {n} 个",
    "category": "每个类别最多 {n} 个",
    "channel": "每个推荐渠道最多 {n} 个",
}
RECEIPT_STATES = {
    "recorded": ("done", "已经记录"),
    "held": ("wait", "正在核查"),
    "excluded": ("stop", "没有计入"),
    "restored": ("done", "核查后恢复"),
}
HOLD_REASONS = {
    "bought_votes": "有花钱买票的迹象",
    "rented_accounts": "有租用账号投票的迹象",
    "automated": "有机器自动投票的迹象",
    "stolen_identity": "有冒用他人身份的迹象",
    "coercion": "有强迫他人投票的迹象",
    "station_misuse": "投票协助点使用不当",
    "unusual_pattern": "投票时间或来源异常集中",
    "other": "其他原因",
}


def round_summary(frozen: FrozenRound, at: datetime, translate: Translate) -> dict[str, Any]:
    """A round in a list or a headline: what, when, in which phase, how to vote in one sentence."""
    phase = frozen.phase(at)
    badge, text = PHASES[phase]
    return {
        "id": frozen.id,
        "title": frozen.title,
        "timezone": str(frozen.zone),
        "phase": phase.value,
        "badge": badge,
        "phase_text": translate(text),
        "opens": frozen.opens,
        "closes": frozen.closes,
        "rehearsal": frozen.message.rehearsal,
        "candidates": len(frozen.cards),
        "how": how_to_vote(frozen, translate),
        "digest": frozen.digest,
        "consent": frozen.message.consent,
        "identity": frozen.rules.ballot.identity,
        "stratum": frozen.rules.ballot.stratum,
        "rule": browser_rule(frozen),
        "names": {code: translate(name) for code, name in (LEVELS | CATEGORIES).items()},
    }


def browser_rule(frozen: FrozenRound) -> dict[str, Any]:
    """What the scripts need beside the cards, in the words of the public answer about the round."""
    rule = frozen.rules.ballot
    limits = ("choices_min", "choices_max", "group_max", "channels_min")
    return {
        "ballot": {name: getattr(rule, name) for name in limits},
        "groups": {"by": list(frozen.rules.groups.by)},
        "channels": {card.channel: card.channel_title or card.channel for card in frozen.cards},
    }


def home(rounds: Iterable[FrozenRound], at: datetime, translate: Translate) -> dict[str, Any]:
    """The first page: rounds by what a citizen can do with them now."""
    shown = [frozen for frozen in rounds if frozen.message.removed_at is None]
    summaries = [round_summary(frozen, at, translate) for frozen in shown]
    places = {"open": "open", "scheduled": "coming"}
    grouped: dict[str, list[dict[str, Any]]] = {"open": [], "coming": [], "finished": []}
    for summary in summaries:
        grouped[places.get(summary["phase"], "finished")].append(summary)
    return grouped


def how_to_vote(frozen: FrozenRound, translate: Translate) -> str:
    """The ballot rule as one sentence."""
    rule = frozen.rules.ballot
    if rule.choices_min == rule.choices_max:
        parts = [translate("选 {n} 个项目").format(n=rule.choices_max)]
    else:
        parts = [translate("选 {least} 到 {most} 个项目").format(least=rule.choices_min, most=rule.choices_max)]
    if rule.group_max:
        limit = GROUP_LIMITS.get(";".join(frozen.rules.groups.by), "每一组最多 {n} 个")
        parts.append(translate(limit).format(n=rule.group_max))
    if rule.channels_min > 1:
        parts.append(translate("至少来自 {n} 个推荐渠道").format(n=rule.channels_min))
    parts.append(translate("每人每天一票") if rule.per == "day" else translate("每人一票"))
    return translate("，").join(parts) + translate("。")


def round_page(
    frozen: FrozenRound, at: datetime, translate: Translate, *, order: int | None, level: str, category: str, words: str
) -> dict[str, Any]:
    """A round with its cards in one of the published orders; the filters work here too, for phones without scripts."""
    cards = [card_view(frozen, card, translate) for card in frozen.ordered_cards(order)]
    for card in cards:
        card["shown"] = matches(card, level, category, words)
    present = [("level", LEVELS), ("category", CATEGORIES)]
    options = {
        key: [(code, translate(name)) for code, name in names.items() if any(card[key] == code for card in cards)]
        for key, names in present
    }
    return {
        "round": round_summary(frozen, at, translate),
        "cards": cards,
        "order": order,
        "levels": options["level"],
        "categories": options["category"],
        "asked": {"level": level, "category": category, "q": words},
        "events": [
            {"at": event.at, "event": event.event, "detail": _event_detail(frozen, event)}
            for event in frozen.events(translate)
            if event.event in ("extension", "withdrawal", "closed")
        ],
    }


def _event_detail(frozen: FrozenRound, event: RoundEvent) -> str:
    """What is told of an event; who withdrew goes by the number that people know."""
    who, _, why = event.detail.partition(": ")
    number = frozen.numbers.get(who) if event.event == "withdrawal" else None
    return event.detail if number is None else f"{number} {frozen.by_number[number].title}（{why}）"


def region_names(regions: Collection[str], language: str, translate: Translate) -> str:
    """Whose mobile numbers may vote, mainland first, in the page's language."""
    names = Locale.parse("en" if language == "en" else "zh_Hans").territories
    own = [translate("中国大陆")] if MAINLAND in regions else []
    return translate("、").join(own + sorted(str(names.get(each, each)) for each in regions if each != MAINLAND))


def card_view(frozen: FrozenRound, card: CandidateCard, translate: Translate) -> dict[str, Any]:
    """A candidate as cards and the detail page show it."""
    return {
        "candidate": card.candidate,
        "number": card.number,
        "title": card.title,
        "unit": card.unit,
        "channel": card.channel,
        "channel_title": card.channel_title or card.channel,
        "level": card.level,
        "level_title": translate(LEVELS[card.level]) if card.level in LEVELS else card.level,
        "category": card.category,
        "category_title": translate(CATEGORIES[card.category]) if card.category in CATEGORIES else card.category,
        "summary": card.summary,
        "image": card.image,
        "image_text": card.image_text,
        "group": frozen.groups[card.candidate],
        "withdrawn_at": card.withdrawn_at,
    }


def matches(card: dict[str, Any], level: str, category: str, words: str) -> bool:
    """Whether a card passes the filters; a number alone finds exactly that number."""
    if (level and card["level"] != level) or (category and card["category"] != category):
        return False
    wanted = words.strip().casefold()
    if wanted.isdecimal():
        return bool(int(wanted) == card["number"])
    return not wanted or wanted in f"{card['title']} {card['unit']} {card['summary']}".casefold()


def receipt_page(view: dict[str, Any], shown: str, translate: Translate) -> dict[str, Any]:
    """What became of a ballot, for a layman; never a choice."""
    badge, text = RECEIPT_STATES[view["state"]]
    reason = view.get("reason")
    return {
        **view,
        "receipt": shown,
        "badge": badge,
        "state_text": translate(text),
        "reason_text": translate(HOLD_REASONS[reason]) if reason in HOLD_REASONS else reason,
    }


def grouped_receipt(text: str) -> str:
    """Twenty letters in fours, as people read them out."""
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))

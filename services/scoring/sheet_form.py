"""What the score sheet's page shows: criteria, what is stored or was just written, and why it was not taken. Pure.

Called by `pages.py`; the same facts stand in the page as JSON for the script that saves and merges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from services.scoring.reasons import Reason
from services.scoring.records import Sheet, SheetState
from services.scoring.rounds import Round
from services.scoring.views import Json
from services.shared.errors import Refusal
from services.shared.ranking.model import Criterion
from services.shared.ranking.numbers import parse_decimal, print_number

MARK, COMMENT, MEANT = "mark.", "comment.", "meant."
BINS = 10
_NAMES_CRITERIA = (Reason.BAD_MARKS, Reason.MARKS_MISSING, Reason.MARKS_EXTREME)
# Refusals that the sheet itself explains, beside what the expert wrote; any other is a page of its own.
_SENTENCES = {
    Reason.BAD_MARKS: "分数不符合要求，请按范围和步长填写：",
    Reason.MARKS_MISSING: "还没有打分，补齐后再提交：",
    Reason.REASON_MISSING: "请写明回避的原因。",
    Reason.SHEET_CHANGED: "这张评分表刚在别处保存过。下面是您写的内容；再次保存就以它为准。",
    Reason.WINDOW_CLOSED: "现在不在评分时间内，没有保存。",
    Reason.SHEET_SUBMITTED: "评分表已经提交并锁定，没有保存。",
    Reason.SHEET_RECUSED: "您已对这个项目申报回避，没有保存。",
    Reason.ROUND_PUBLISHED: "结果已经公布，不能再改。",
    Reason.MARKS_EXTREME: "这是最低分或最高分，请核对，确认无误后勾选再提交：",
    Reason.LETTER_UNSIGNED: "请先阅读并签署承诺书，再评分。没有保存。",
    Reason.LETTER_CHANGED: "承诺书已经更新，请重新阅读后签署。",
    Reason.NOT_IN_MEETING: "评审会还没有进行到这个项目，没有保存。",
}
TOLD_ON_SHEET = frozenset(_SENTENCES)


def part_of(written: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Fields of a form whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in written.items() if key.startswith(prefix)}


def content_of(sheet: Sheet) -> Json:
    """What an expert can write on a sheet, as the script compares it."""
    return {"marks": sheet.marks, "comments": sheet.comments, "comment": sheet.comment}


def content_written(written: Mapping[str, str]) -> Json:
    return {
        "marks": part_of(written, MARK),
        "comments": part_of(written, COMMENT),
        "comment": written.get("comment", ""),
    }


def criterion_view(round_: Round, criterion: Criterion) -> Json:
    """A criterion as it is scored; `max` is empty where there is none, `step` "any" where every decimal is allowed."""
    text = round_.text_of(criterion.id)
    return {
        "id": criterion.id,
        "title": criterion.title or criterion.id,
        "weight": _plain(criterion.weight * 100),
        "min": _plain(criterion.minimum),
        "max": "" if criterion.maximum is None else _plain(criterion.maximum),
        "step": _plain(criterion.step) if criterion.step else "any",
        "description": text.description,
        "anchors": text.anchors,
    }


def _plain(number: Fraction) -> str:
    return print_number(number, None, "half_up")


def wrong_criteria(refusal: Refusal | None) -> list[str]:
    if refusal is None:
        return []
    named = refusal.extra.get("missing") or refusal.extra.get("extreme") or [refusal.extra.get("criterion", "")]
    return [str(name) for name in named if name]


def sentence(translate: Callable[[str], str], refusal: Refusal, round_: Round) -> str:
    """Why the sheet was not taken, in the reader's language."""
    titles = {criterion.id: criterion.title or criterion.id for criterion in round_.criteria}
    named = "、".join(titles.get(name, name) for name in wrong_criteria(refusal))
    reason = next(each for each in Reason if each is refusal.reason)
    return translate(_SENTENCES[reason]) + (named if reason in _NAMES_CRITERIA else "")


def neighbours(round_: Round, own: Mapping[str, Sheet], expert: str, here: str) -> Json:
    """The candidate's place in the expert's queue: before, after, and the next one that is still to be scored."""
    order = [each.candidate for each in round_.cards_of(expert)]
    at = order.index(here)
    waiting = [name for name in [*order[at + 1 :], *order[:at]] if _is_open(own, name)]
    return {
        "order": order,
        "previous": order[at - 1] if at else None,
        "following": order[at + 1] if at + 1 < len(order) else None,
        "next_open": waiting[0] if waiting else None,
        "position": at + 1,
        "total": len(order),
        "done": sum(not _is_open(own, name) for name in order),
    }


def _is_open(own: Mapping[str, Sheet], candidate: str) -> bool:
    return candidate not in own or own[candidate].state is SheetState.DRAFT


def spread(criterion: Criterion, marks: Sequence[str]) -> Json:
    """How an expert's own marks on a criterion lie: lowest, middle, highest, and counts in ten parts of the range.

    Without a highest mark in the rules the range ends at the highest mark given.
    """
    numbers = sorted(number for number in map(parse_decimal, marks) if number is not None)
    low = criterion.minimum
    high = criterion.maximum if criterion.maximum is not None else max([*numbers, low])
    high = max(high, low + 1)
    bins = [0] * BINS
    for number in numbers:
        bins[min(BINS - 1, int((number - low) * BINS / (high - low)))] += 1
    middle = len(numbers) // 2
    told: dict[str, Any] = {"count": len(numbers), "bins": bins, "from": _plain(low), "to": _plain(high)}
    edges = [_plain(low + (high - low) * k / BINS) for k in range(BINS + 1)]
    told["labels"] = [f"{edges[k]}–{edges[k + 1]}" for k in range(BINS)]
    if numbers:
        median = numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2
        mean = print_number(Fraction(sum(numbers), len(numbers)), 1, "half_up")
        told |= {"low": _plain(numbers[0]), "high": _plain(numbers[-1]), "median": _plain(median), "mean": mean}
    return told

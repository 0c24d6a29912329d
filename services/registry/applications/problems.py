"""What is wrong with an application: a place, a word from a closed list, and the sentence people read. Pure."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import msgspec


class Word(StrEnum):
    """One word per kind of mistake; the same in JSON and pages."""

    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    NO_CHOICE = "no_choice"
    CONTROL_CHARACTER = "control_character"
    MISSING = "missing"
    BAD_CREDIT_CODE = "bad_credit_code"
    PARTNER_TWICE = "partner_twice"
    PARTNER_IS_LEAD = "partner_is_lead"
    BAD_AMOUNT = "bad_amount"
    DUE_IN_THE_PAST = "due_in_the_past"
    BUDGET_DOES_NOT_ADD_UP = "budget_does_not_add_up"
    CONSENT_MISSING = "consent_missing"
    PROOF_MISSING = "proof_missing"
    PICTURE_ALT_MISSING = "picture_alt_missing"


class Problem(msgspec.Struct, frozen=True):
    """One mistake; `field` is a path into the form such as `budget[2].amount`."""

    field: str
    word: Word
    facts: dict[str, Any]


def sentences(translate: Callable[[str], str]) -> dict[Word, str]:
    """The sentence of every word, with places for its facts."""
    _ = translate
    return {
        Word.TOO_LONG: _("有 {count} 个字，最多 {limit} 个字"),
        Word.TOO_MANY: _("有 {count} 行，最多 {limit} 行"),
        Word.NO_CHOICE: _("只能从这些里选：{choices}"),
        Word.CONTROL_CHARACTER: _("有不可见的控制字符或不该有的换行，请删除"),
        Word.MISSING: _("还没有填写"),
        Word.BAD_CREDIT_CODE: _("统一社会信用代码校验不通过，请对照证照核对"),
        Word.PARTNER_TWICE: _("同一单位列了两次，请删除一处"),
        Word.PARTNER_IS_LEAD: _("牵头单位自己不能再列为联合申报单位"),
        Word.BAD_AMOUNT: _("金额应大于 0，最多两位小数，例如 12000.00"),
        Word.DUE_IN_THE_PAST: _("完成时间已经过去，请填写将来的日期"),
        Word.BUDGET_DOES_NOT_ADD_UP: _("各项相加是 {sum} 元，合计写的是 {total} 元，请改成一致"),
        Word.CONSENT_MISSING: _("{partner} 还没有同意联合申报：请把链接发给对方，或上传盖章的同意书"),
        Word.PROOF_MISSING: _("{partner} 还缺：{proof}"),
        Word.PICTURE_ALT_MISSING: _("有项目图片，请给图片写一句说明"),
    }


def facts(problems: Iterable[Problem], titles: dict[str, str], translate: Callable[[str], str]) -> list[dict[str, Any]]:
    """The problems as JSON: where, the field's title, the word, and the sentence."""
    said = sentences(translate)
    return [
        {
            "field": each.field,
            "title": titles.get(_kind(each.field), ""),
            "word": each.word,
            "text": said[each.word].format(**each.facts),
            **each.facts,
        }
        for each in problems
    ]


def _kind(field: str) -> str:
    """`budget[2].amount` → `budget.amount`."""
    before, bracket, after = field.partition("[")
    return before + after.partition("]")[2] if bracket else field

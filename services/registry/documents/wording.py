"""How dates, amounts and words of the vocabulary are written in official documents. Pure; for every printer here."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from services.shared.vocabulary import CATEGORIES, LEAD_KINDS, LEVELS, PARTNER_KINDS

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")
_KINDS = LEAD_KINDS | PARTNER_KINDS
AMOUNT_LIMIT = Decimal(10) ** 12


def chinese_date(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def yuan(amount: Decimal) -> str:
    """`36000` → `36,000.00`."""
    return f"{amount:,.2f}"


def level_name(level: str) -> str:
    return LEVELS.get(level, level)


def category_name(category: str) -> str:
    return CATEGORIES.get(category, category)


def kind_name(kind: str) -> str:
    return _KINDS.get(kind, kind)


def named(words: Mapping[str, str], name: str) -> str | None:
    """The word that a page shows under this name; the word itself is understood too, None if it is neither."""
    if name in words:
        return name
    return next((word for word, shown in words.items() if shown == name), None)


def capital_amount(amount: Decimal) -> str:
    """An amount of 0 to 10^12 yuan in capital figures (大写金额), e.g. 人民币叁万陆仟元整.

    Written by the rules of 《支付结算办法》, annex 1: one 零 for each run of zeros, 整 where no 分 follows.
    """
    if not 0 <= amount < AMOUNT_LIMIT:
        raise ValueError(f"an amount must be from 0 to below {AMOUNT_LIMIT:f} yuan to be written in capitals: {amount}")
    cents = int(amount * 100)
    whole, tenths, hundredths = cents // 100, cents // 10 % 10, cents % 10
    text = _capital_whole(whole) + "元" if whole or not cents else ""
    if tenths:
        text += _DIGITS[tenths] + "角"
    elif hundredths and whole:
        text += "零"
    text += _DIGITS[hundredths] + "分" if hundredths else "整"
    return "人民币" + text


def _capital_whole(number: int) -> str:
    if number == 0:
        return "零"
    text, zero = "", False
    digits = str(number)
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit == "0":
            zero = True
        else:
            text += ("零" if zero and text else "") + _DIGITS[int(digit)] + _PLACES[place % 4]
            zero = False
        if place % 4 == 0 and number // 10**place % 10_000:
            text += _GROUPS[place // 4]
    return text

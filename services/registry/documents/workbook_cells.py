"""What one cell of the import workbook says: checked against its column, blamed with how to mend it.

Formulas are never computed: what a clerk saw may be another value than the one that was saved. Called by
`workbook_reader.py`.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from services.registry.documents.wording import named
from services.registry.documents.workbook_sheets import Column, Content
from services.registry.rounds import credit_code
from services.registry.rounds.reading import AMOUNT_MAX
from services.shared.typesetting.characters import clean

Blame = Callable[[str, str], None]
# openpyxl's words for the kinds of cells.
_NEVER_READ = {"f": "公式", "e": "错误值"}


def read_cell(cell: Any, column: Column, blame: Blame) -> Any:
    """The cell's value as its column needs it; an empty value where it was blamed."""
    if cell is not None and cell.data_type in _NEVER_READ:
        blame(f"“{column.heading}”是{_NEVER_READ[cell.data_type]}", "改为填写文字或者数字")
        return ""
    value = None if cell is None else cell.value
    if value is None or (isinstance(value, str) and not clean(value).strip()):
        blame(f"“{column.heading}”未填写", "补充填写")
        return ""
    if column.content is Content.AMOUNT:
        return _read_amount(value, blame)
    if column.content is Content.DAY:
        return _read_day(value, blame)
    text = _as_text(value)
    if text is None:
        blame(f"“{column.heading}”不是文字", "把单元格设为文本格式后重新填写")
        return ""
    if len(text) > column.length_max:
        blame(f"“{column.heading}”有{len(text)}个字，最多{column.length_max}个", "缩短内容")
    elif column.content is not Content.LONG_TEXT and "\n" in text:
        blame(f"“{column.heading}”含有换行", "删去换行，写成一行")
    elif column.content is Content.WORD:
        return _read_word(text, column, blame)
    elif column.content is Content.CREDIT_CODE and not credit_code.is_valid(text.upper()):
        blame(f"“{column.heading}”校验不符", "对照登记证书核对18位代码")
    return text.upper() if column.content is Content.CREDIT_CODE else text


def _as_text(value: Any) -> str | None:
    """A text cell, or a whole number such as a row's number that was typed as one."""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) and abs(value) < 10**15:
        return str(int(value))
    return None


def _read_word(text: str, column: Column, blame: Blame) -> str:
    word = named(column.words, text)
    if word is None:
        blame(f"“{column.heading}”不能是“{text[:20]}”", f"从这些中选择：{'、'.join(column.words.values())}")
    return word or ""


def _read_amount(value: Any, blame: Blame) -> Decimal:
    """Yuan above 0 with at most two decimals; 0 where it was blamed."""
    try:
        # A spreadsheet keeps 0.1 as the nearest binary number, whose shortest text is what was typed.
        amount = Decimal(str(value).replace(",", "").replace("，", "").strip())
    except InvalidOperation:
        amount = Decimal(0)
    whole_cents = amount.is_finite() and 0 < amount <= AMOUNT_MAX and amount * 100 == (amount * 100).to_integral_value()
    if isinstance(value, bool) or not whole_cents:
        blame("金额须为大于0、最多两位小数、不超过十亿的数", "填写以元为单位的数，如 12000.00")
        return Decimal(0)
    return amount.quantize(Decimal("0.01"))


def _read_day(value: Any, blame: Blame) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(clean(str(value)).strip().replace("/", "-"))
    except ValueError:
        blame("日期无法识别", "按 2021-11-30 的格式填写")
        return None

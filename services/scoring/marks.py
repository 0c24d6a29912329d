"""Marks on a sheet: what an expert wrote, checked against the criterion's range and step and put in one form.

Pure; called before anything is stored. The same rules are checked again by the ranking core.
"""

from collections.abc import Mapping, Sequence

from services.scoring.reasons import Reason
from services.shared.errors import Refusal
from services.shared.ranking.model import Criterion
from services.shared.ranking.numbers import parse_decimal, print_exactly

Marks = dict[str, str]
# Full-width digits and points are what a Chinese keyboard writes; they mean the same.
_WIDE = str.maketrans("０１２３４５６７８９．。－", "0123456789..-")
_MARK_LENGTH_MAX = 32


def read_marks(written: Mapping[str, object], criteria: Sequence[Criterion]) -> Marks:
    """Marks in the order of the criteria, each in its shortest form; blanks are left out.

    Raises Refusal `bad_marks` with `criterion`, saying what to do.
    """
    known = {criterion.id: criterion for criterion in criteria}
    for name in written:
        if name not in known:
            detail = f"There is no criterion “{name[:64]}”; use {', '.join(known)}."
            raise Refusal(Reason.BAD_MARKS, detail, criterion=name[:64])
    found = {criterion.id: _read_mark(written.get(criterion.id), criterion) for criterion in criteria}
    return {name: mark for name, mark in found.items() if mark}


def _read_mark(written: object, criterion: Criterion) -> str:
    if written is None:
        return ""
    if not isinstance(written, str):
        raise _bad(criterion, 'write the mark as a decimal in quotes, like "87.5"')
    text = written.strip().translate(_WIDE)
    if not text:
        return ""
    value = parse_decimal(text) if len(text) <= _MARK_LENGTH_MAX else None
    if value is None:
        raise _bad(criterion, "this is not a number; write it like 87.5")
    below = value < criterion.minimum
    above = criterion.maximum is not None and value > criterion.maximum
    if below or above:
        raise _bad(criterion, f"give a mark {span(criterion)}")
    if criterion.step and (value - criterion.minimum) % criterion.step:
        raise _bad(criterion, f"give a mark in steps of {print_exactly(criterion.step)}, {span(criterion)}")
    return print_exactly(value)


def span(criterion: Criterion) -> str:
    """The allowed range in words."""
    low = print_exactly(criterion.minimum)
    return f"of {low} or more" if criterion.maximum is None else f"from {low} to {print_exactly(criterion.maximum)}"


def missing(marks: Mapping[str, str], criteria: Sequence[Criterion]) -> list[str]:
    """Criteria without a mark."""
    return [criterion.id for criterion in criteria if criterion.id not in marks]


def extreme(marks: Mapping[str, str], criteria: Sequence[Criterion]) -> list[str]:
    """Criteria whose mark stands at an end of the range: meant now and then, more often a slip of the finger."""
    ends = {each.id: (each.minimum, each.maximum) for each in criteria}
    return [name for name, mark in marks.items() if parse_decimal(mark) in ends.get(name, ())]


def _bad(criterion: Criterion, what: str) -> Refusal:
    return Refusal(Reason.BAD_MARKS, f"{criterion.title or criterion.id}: {what}.", criterion=criterion.id)

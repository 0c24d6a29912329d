"""Money of a project in exact decimals: amounts as people write them, what each line has left, and the settlement.

Pure. Invariant: no float ever touches an amount; an amount has at most two decimals and is above 0.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from services.registry.reasons import RegistryReason
from services.shared.errors import Refusal

AMOUNT_MAX = Decimal("999999999999.99")
ZERO = Decimal("0.00")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


class LineBalance(msgspec.Struct, frozen=True):
    """One budget line with its sums, all in yuan; `own_funds` is the unit's own money (自筹) put into it."""

    line: int
    name: str
    basis: str
    requested: Decimal
    approved: Decimal
    spent: Decimal
    own_funds: Decimal

    @property
    def left(self) -> Decimal:
        """What may still be spent; negative where more was spent than approved and brought."""
        return self.approved + self.own_funds - self.spent

    @property
    def overspent(self) -> Decimal:
        """What was spent beyond the approved amount, covered or not."""
        return max(self.spent - self.approved, ZERO)

    @property
    def uncovered(self) -> Decimal:
        """The part of an over-spend that neither a change of budget nor own funds cover: it must come to 0."""
        return max(-self.left, ZERO)

    @property
    def eligible(self) -> Decimal:
        """What the subsidy bears: what was spent beside own funds, up to the approved amount."""
        return min(max(self.spent - self.own_funds, ZERO), self.approved)


class Settlement(msgspec.Struct, frozen=True):
    """The money at the end, in yuan: what the unit returns, or what it is still to be paid."""

    granted: Decimal
    paid: Decimal
    spent: Decimal
    own_funds: Decimal
    eligible: Decimal
    to_return: Decimal
    to_pay: Decimal


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A move of approved money between two lines (预算调剂)."""

    from_line: int
    to_line: int
    amount: str


def amount(text: str, where: str, *, zero: bool = False) -> Decimal:
    """Yuan from a text like "1200.50"; raises Refusal `bad_amount` naming `where`. `zero` allows 0."""
    if not _AMOUNT.fullmatch(text):
        raise Refusal(
            RegistryReason.BAD_AMOUNT,
            f'{where} is {text[:32]!r}; write yuan as a text with at most two decimals, like "1200.50".',
            where=where,
        )
    value = Decimal(text).quantize(ZERO)
    if value == 0 and not zero:
        raise Refusal(RegistryReason.BAD_AMOUNT, f"{where} is 0; write an amount above 0.", where=where)
    return value


def settle(lines: Sequence[LineBalance], paid: Decimal, disallowed: Decimal = ZERO) -> Settlement:
    """The settlement of a project whose bookings are all in; `paid` is what the unit got so far.

    `disallowed` is taken off what is otherwise eligible; raises Refusal `bad_amount` where it is more than that.
    """
    eligible = _sum(line.eligible for line in lines) - disallowed
    if eligible < 0:
        raise Refusal(RegistryReason.BAD_AMOUNT, f"disallowed is {disallowed}, {-eligible} more than was eligible.")
    return Settlement(
        granted=_sum(line.approved for line in lines),
        paid=paid,
        spent=_sum(line.spent for line in lines),
        own_funds=_sum(line.own_funds for line in lines),
        eligible=eligible,
        to_return=max(paid - eligible, ZERO),
        to_pay=max(eligible - paid, ZERO),
    )


def moved(lines: Sequence[LineBalance], moves: Sequence[Move]) -> dict[int, Decimal]:
    """Line → what a change of budget adds to it (negative where money leaves), lines that keep their amount left out.

    Raises Refusal `bad_amount`, or `bad_change` where a line is unknown, moves to itself, or would be left with less
    than was already spent from it.
    """
    known = {line.line: line for line in lines}
    deltas: dict[int, Decimal] = {}
    if not moves:
        raise Refusal(RegistryReason.BAD_CHANGE, "There is no move; name at least one with from_line, to_line, amount.")
    for place, move in enumerate(moves, start=1):
        if move.from_line == move.to_line or move.from_line not in known or move.to_line not in known:
            names = ", ".join(str(line) for line in known)
            raise Refusal(RegistryReason.BAD_CHANGE, f"Move {place} must name two different lines among {names}.")
        value = amount(move.amount, f"the amount of move {place}")
        deltas[move.from_line] = deltas.get(move.from_line, ZERO) - value
        deltas[move.to_line] = deltas.get(move.to_line, ZERO) + value
    _require_enough(known, deltas)
    return {line: delta for line, delta in sorted(deltas.items()) if delta}


def _require_enough(known: Mapping[int, LineBalance], deltas: Mapping[int, Decimal]) -> None:
    for line, delta in deltas.items():
        balance = known[line]
        free = min(balance.left, balance.approved)
        if delta < 0 and free + delta < 0:
            raise Refusal(
                RegistryReason.BAD_CHANGE,
                f"Line {line} ({balance.name}) has {max(free, ZERO)} left, less than the {-delta} to be moved away.",
                line=line,
                left=str(max(free, ZERO)),
            )


def _sum(values: object) -> Decimal:
    return sum(values, ZERO)  # type: ignore[call-overload, no-any-return]

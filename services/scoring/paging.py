"""Lists by key: `?after=<key>&limit=` and `{"items": […], "next": key or null}`. Pure; called by the api modules."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from services.scoring.reasons import Reason
from services.shared.errors import Refusal

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
AFTER_MAX = 2**53

Item = TypeVar("Item")


def checked_limit(limit: int) -> int:
    """The limit that was asked for; raises Refusal `bad_filter`. A store is asked for one more."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Refusal(Reason.BAD_FILTER, f"limit must be from 1 to {LIMIT_MAX}.")
    return limit


def checked_after(after: int) -> int:
    """The number that a list goes on after; raises Refusal `bad_filter` for one that no row can have."""
    if not 0 <= after <= AFTER_MAX:
        raise Refusal(Reason.BAD_FILTER, "after must be the number of the last item you have.")
    return after


def page(found: Sequence[Item], limit: int, key: Callable[[Item], Any], told: Callable[[Item], Any]) -> dict[str, Any]:
    """The answer of a list call, from up to `limit` + 1 items in the order of their keys."""
    items = list(found[:limit])
    return {"items": [told(each) for each in items], "next": key(items[-1]) if len(found) > limit else None}

"""The spend breaker: the only thing that pauses codes for everybody, per minute and per day.

Each process looks at the common sum about once a second and adds what it sent itself since, so that N processes exceed
a budget by what they send in a second at most.
"""

from __future__ import annotations

import time

from services.shared.postgres import Pool
from services.voting import codes_store


class _Window:
    def __init__(self, within_s: float, codes_max: int, fresh_s: float) -> None:
        self.within_s, self.codes_max, self.fresh_s = within_s, codes_max, fresh_s
        self.codes, self.looked_at = 0, float("-inf")

    async def exhausted(self, pool: Pool) -> bool:
        if time.monotonic() - self.looked_at >= self.fresh_s:
            self.looked_at = time.monotonic()
            self.codes = await codes_store.codes_spent(pool, self.within_s)
        return self.codes >= self.codes_max


class SpendBreaker:
    """Open while a budget is used up."""

    def __init__(self, pool: Pool, per_minute_max: int, per_day_max: int) -> None:
        self._pool = pool
        self._windows = (_Window(60, per_minute_max, 1), _Window(86_400, per_day_max, 10))

    async def open_for_s(self) -> int:
        """0, or after how many seconds asking again makes sense."""
        for window in self._windows:
            if await window.exhausted(self._pool):
                return 60 if window.within_s == 60 else 1800
        return 0

    def note(self) -> None:
        """A code was sent by this process."""
        for window in self._windows:
            window.codes += 1

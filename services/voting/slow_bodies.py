"""Bodies that do not come: one sweep ends them all, because a timer for every ballot would cost a tenth of its CPU."""

from __future__ import annotations

import time
from typing import Protocol


class Reader(Protocol):
    """Whoever waits for a body."""

    def too_slow(self) -> None: ...


class SlowBodies:
    """Those who wait, in the order of their deadlines."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadlines: dict[Reader, float] = {}

    def begin(self, reader: Reader) -> None:
        self._deadlines[reader] = time.monotonic() + self._timeout_s

    def end(self, reader: Reader) -> None:
        self._deadlines.pop(reader, None)

    async def end_once(self) -> int:
        """Step of a loop: a trickle of bytes must not hold a connection for ever."""
        now, ended = time.monotonic(), 0
        for reader, deadline in list(self._deadlines.items()):
            if deadline > now:
                break
            reader.too_slow()
            self.end(reader)
            ended += 1
        return ended

"""What processes of ours ask of the system for themselves, and when one that ended is started again."""

from __future__ import annotations

import ctypes
import signal
import sys

# With a start of a few seconds a service is back within ten, however often it ended before.
_FIRST_S, _MAX_S, _STABLE_AFTER_S = 0.2, 2.0, 20.0


class RestartPause:
    """How long to wait before a process is started again: ever longer, but little after one that ran for long."""

    def __init__(self) -> None:
        self._next_s = _FIRST_S

    def after(self, ran_s: float) -> float:
        """Seconds to wait now that it ended after `ran_s`."""
        pause_s = _FIRST_S if ran_s > _STABLE_AFTER_S else self._next_s
        self._next_s = min(pause_s * 2, _MAX_S)
        return pause_s


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed; elsewhere the supervisor cleans up."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)

"""The voting service with a sampler in it: every few milliseconds *of CPU* a signal notes which Python code runs.

Started by `profile.py` in the place of `services.voting`; SIGUSR1 begins and ends the sampling. A signal is handled
between two byte codes, so that time in C is noted on the Python line that called it or that follows it.
"""

from __future__ import annotations

import os
import runpy
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

import msgspec

EVERY_S = 0.002
FILE_VARIABLE = "VOTING_BENCH_SAMPLES_FILE"
DEPTH_MAX = 60


class Samples(msgspec.Struct):
    """`alone`: samples whose innermost frame is this function; `within`: samples with it anywhere on the stack."""

    total: int
    alone: dict[str, int]
    within: dict[str, int]


class Sampler:
    """Counts functions by `file:name` while it is on."""

    def __init__(self) -> None:
        self.total = 0
        self._on = False
        self._alone: Counter[CodeType] = Counter()
        self._within: Counter[CodeType] = Counter()

    def switch(self, _: int, __: FrameType | None) -> None:
        """SIGUSR1: on, then off again."""
        self._on = not self._on
        every_s = EVERY_S if self._on else 0
        signal.setitimer(signal.ITIMER_PROF, every_s, every_s)

    def sample(self, _: int, frame: FrameType | None) -> None:
        """SIGPROF."""
        if frame is None:
            return
        self.total += 1
        self._alone[frame.f_code] += 1
        seen: set[CodeType] = set()
        inner: FrameType | None = frame
        while inner is not None and len(seen) < DEPTH_MAX:
            seen.add(inner.f_code)
            inner = inner.f_back
        self._within.update(seen)

    def samples(self) -> Samples:
        return Samples(self.total, _named(self._alone), _named(self._within))


def _named(counts: Counter[CodeType]) -> dict[str, int]:
    """The last two parts of a path are enough to find a function, and tell nothing of the machine."""
    named: Counter[str] = Counter()
    for code, count in counts.items():
        named[f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"] += count
    return dict(named)


def main() -> None:
    file, sampler = Path(os.environ[FILE_VARIABLE]), Sampler()
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.signal(signal.SIGUSR1, sampler.switch)
    try:
        runpy.run_module("services.voting", run_name="__main__")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_bytes(msgspec.json.encode(sampler.samples()))


if __name__ == "__main__":
    main()
